package edge

import (
	"bytes"
	"testing"
)

func TestFetchAndFetchInto(t *testing.T) {
	data := content(3 << 20)
	server := serve(t, file(data, `"v1"`))
	s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL + "/f.bin"}, SourceOptions{})
	if _, err := fetched(t, s, data, 1000, 2<<20); err != nil {
		t.Fatal(err)
	}
	bufs := [][]byte{make([]byte, 1<<20), make([]byte, 1<<20), make([]byte, 1<<20)}
	var order []int
	n, err := s.FetchInto(t.Context(), 0, bufs, func(i int, from []string) error {
		if len(from) != 1 || from[0] != server.URL+"/f.bin" || !bytes.Equal(bufs[i], data[i<<20:(i+1)<<20]) {
			t.Errorf("buffer %d from %v is not the file's", i, from)
		}
		order = append(order, i)
		return nil
	})
	if n != 3<<20 || err != nil || len(order) != 3 {
		t.Errorf("FetchInto = %d, %v, filled %v", n, err, order)
	}
}
