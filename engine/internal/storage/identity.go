package storage

// Stage says which name the bytes have. The values are in users' databases.
type Stage string

const (
	StagePart     Stage = "part"     // the part name
	StageRenaming Stage = "renaming" // one of the two: a stop came while the name was given
	StageComplete Stage = "complete" // the final name
)

// Identity is what to remember of an object to find its bytes again, and to see whether they are as
// they were left. Store it when the object is made, when Finish asks for it, and after Finish and
// Close.
type Identity struct {
	Stage  Stage          `json:"stage"`
	Dir    string         `json:"dir"`              // absolute
	Part   string         `json:"part"`             // name in Dir while unfinished
	Name   string         `json:"name"`             // name in Dir when complete
	Volume string         `json:"volume,omitempty"` // "" if it has no ID
	Files  []FileIdentity `json:"files"`            // in the order of the layout
}

// FileIdentity tells a file from others.
type FileIdentity struct {
	ID      string `json:"id,omitempty"` // "" if the volume has no lasting ones
	Size    int64  `json:"size"`
	ModTime int64  `json:"mtime"` // ns since 1970; 0 while it is open; -1: agrees with nothing
}

const neverAgrees = -1

// same reports whether s can be the file that was remembered. exact: it was left by a clean stop and
// must not have changed at all.
func (want FileIdentity) same(s fileStat, exact bool) bool {
	switch {
	case want.ModTime == neverAgrees:
		return false
	case want.ID != "" && s.id != "" && want.ID != s.id:
		return false
	case exact && want.ModTime != 0:
		return want.Size == s.size && want.ModTime == s.modTime
	}
	return true
}
