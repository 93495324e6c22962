package serve

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/tributary-dl/tributary/control/internal/selection"
)

// networks finds the network of an address in databases of the MaxMind format, which several publishers
// of such data use. Several may be needed: one knows autonomous systems, another countries.
type networks struct {
	readers []*maxminddb.Reader
}

// openNetworks opens the databases; the caller closes what it returns.
func openNetworks(paths []string) (*networks, error) {
	n := &networks{}
	for _, path := range paths {
		reader, err := maxminddb.Open(path)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open database of networks %s: %w", path, err), n.Close())
		}
		n.readers = append(n.readers, reader)
	}
	return n, nil
}

// networkRecord is what we read of a record, by the field names that GeoLite2 and its relatives share.
type networkRecord struct {
	AS      uint32 `maxminddb:"autonomous_system_number"`
	Country struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Continent struct {
		Code string `maxminddb:"code"`
	} `maxminddb:"continent"`
}

// Find names the network of an address. What no database knows is guessed from the address.
func (n *networks) Find(address netip.Addr) selection.Network {
	network := selection.ByPrefix(address)
	for _, reader := range n.readers {
		var record networkRecord
		if reader.Lookup(address.Unmap()).Decode(&record) != nil {
			continue // a damaged record is no reason to refuse a client
		}
		if record.AS != 0 {
			network.Name = fmt.Sprintf("AS%d", record.AS)
		}
		if record.Country.Code != "" {
			network.Country = record.Country.Code
		}
		if record.Continent.Code != "" {
			network.Continent = record.Continent.Code
		}
	}
	return network
}

// Close closes the databases.
func (n *networks) Close() error {
	var err error
	for _, reader := range n.readers {
		err = errors.Join(err, reader.Close())
	}
	return err
}
