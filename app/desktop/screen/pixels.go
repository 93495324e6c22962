package screen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
)

// Colours counts the different colours in an area of the screen. It reads the memory of the X server, which costs the
// programs on the screen nothing: the way to see when a window is drawn first.
func (s *Screen) Colours(area image.Rectangle) (n int, err error) {
	f, err := os.Open(filepath.Join(s.dir, "Xvfb_screen0"))
	if err != nil {
		return 0, fmt.Errorf("look at the screen: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// The memory begins like a file of xwd (X11/XWDFile.h): numbers of 32 bits, their names in the header file.
	const size, bytesPerLine, colours, colourSize = 0, 12, 19, 12
	var head [25]uint32
	if err := binary.Read(f, binary.BigEndian, &head); err != nil {
		return 0, fmt.Errorf("look at the screen: %w", err)
	}
	const pixelSize = 4
	seen := map[uint32]bool{}
	line := make([]byte, pixelSize*area.Dx())
	for y := area.Min.Y; y < area.Max.Y; y++ {
		at := int64(head[size]) + int64(head[colours])*colourSize + int64(y)*int64(head[bytesPerLine]) + int64(pixelSize*area.Min.X)
		if _, err := io.ReadFull(io.NewSectionReader(f, at, int64(len(line))), line); err != nil {
			return 0, fmt.Errorf("look at the screen: %w", err)
		}
		for x := 0; x < len(line); x += pixelSize {
			seen[binary.LittleEndian.Uint32(line[x:])&0xffffff] = true
		}
	}
	return len(seen), nil
}
