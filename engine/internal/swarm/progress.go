package swarm

// progress is what peers are doing about one piece. Guarded by Swarm.mu.
type progress struct {
	outstanding int
	received    int64
	chunks      []chunk // by number within the piece; nil until the first arrives
	all         int     // chunks of the piece
}

// chunk is who delivered a chunk, and how long it is. A chunk that arrives again replaces the first, so
// that credits sum up to the piece exactly.
type chunk struct {
	from   *link
	length int
}

func (p *progress) credit(k int, from *link, length int) {
	if p.chunks == nil {
		p.chunks = make([]chunk, p.all)
	}
	p.received += int64(length - p.chunks[k].length)
	p.chunks[k] = chunk{from, length}
}

// prefix is how many bytes of the piece, from its beginning on, are there without a gap.
func (p *progress) prefix() (n int64) {
	for _, c := range p.chunks {
		if c.from == nil {
			break
		}
		n += int64(c.length)
	}
	return n
}

// free counts the chunks that nobody has delivered or been asked for.
func (p *progress) free() int {
	n := p.all
	for _, c := range p.chunks {
		if c.from != nil {
			n--
		}
	}
	return n - p.outstanding
}

func (s *Swarm) progress(i int) *progress {
	p := s.work[i]
	if p == nil {
		p = &progress{all: s.layout.chunks(s.layout.size(i))}
		s.work[i] = p
	}
	return p
}

// tidy forgets a piece that nobody is at.
func (s *Swarm) tidy(i int) {
	if p := s.work[i]; p != nil && p.outstanding == 0 && p.chunks == nil {
		delete(s.work, i)
	}
}

// takeCredit returns who delivered the chunks of piece i, and forgets it.
func (s *Swarm) takeCredit(i int) []chunk {
	p := s.work[i]
	if p == nil {
		return nil
	}
	chunks := p.chunks
	p.chunks, p.received = nil, 0
	s.tidy(i)
	return chunks
}

// waste books what peers delivered of piece i as wasted, but for its first kept bytes.
func (s *Swarm) waste(i int, kept int64) (from []PeerID, bytes int64) {
	seen := map[*link]bool{}
	for k, c := range s.takeCredit(i) {
		if c.from == nil || int64(k)*s.layout.chunk+int64(c.length) <= kept {
			continue
		}
		s.countWasted(c.from, int64(c.length))
		bytes += int64(c.length)
		if !seen[c.from] {
			seen[c.from] = true
			from = append(from, c.from.peer)
		}
	}
	return from, bytes
}

// settle ends the asking for a piece that is verified.
func (s *Swarm) settle(i int) {
	s.wanted.remove(i)
	s.waiting.remove(i)
	s.asked.remove(i)
}
