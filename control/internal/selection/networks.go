package selection

import "net/netip"

// ByPrefix names the network of an address when no database does: whoever shares a /16 (IPv6: /32, what
// registries hand to providers) is likely to have the same provider.
func ByPrefix(a netip.Addr) Network {
	a = a.Unmap()
	bits := 32
	if a.Is4() {
		bits = 16
	}
	return Network{Name: masked(a, bits).String()}
}
