package edge

// Changed tells whether r, resolved anew, is another file than the one that was: its size or its validator
// differs. Where nothing can be compared it is taken for the same; each answer is checked again when bytes come.
func (r *Resource) Changed(was *Resource) bool {
	return r.Size != was.Size || r.Validator.differs(was.Validator)
}
