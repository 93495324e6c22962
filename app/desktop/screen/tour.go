package screen

import (
	"context"
	"path/filepath"
	"time"
)

// views are the views of our window, and the keys that lead from each to the next.
var views = []struct {
	name string
	keys []string
}{
	{"downloads", []string{"Down", "Home", "Down"}},
	{"add", []string{"ctrl+n"}},
	{"sharing", []string{"Escape", "ctrl+6"}},
	{"settings", []string{"ctrl+comma"}},
}

// Tour takes a picture of each view of our window, in a folder, under the view's name with an ending. It returns the files.
func (s *Screen) Tour(ctx context.Context, window, folder, ending string) (files []string, err error) {
	if err := s.Focus(ctx, window); err != nil {
		return nil, err
	}
	for _, v := range views {
		if err := s.Key(ctx, v.keys...); err != nil {
			return files, err
		}
		const drawn = 1500 * time.Millisecond // with what the service answers
		if err := pause(ctx, drawn); err != nil {
			return files, err
		}
		file := filepath.Join(folder, v.name+ending+".png")
		if err := s.Shot(ctx, window, file); err != nil {
			return files, err
		}
		files = append(files, file)
	}
	return files, nil
}
