package hybrid

// Turns shares out who fetches which piece from the edge while nobody has it, so that a crowd takes one copy from there and not the
// same pieces several times: it sets how many of the others come before this client for each piece. 0 makes it this client's turn;
// among those that are not, one whose turn is near is less likely to be fetched by two at once. Clients are put in order by what
// piece and client hash to (rendezvous hashing, Thaler and Ravishankar 1998), so that all who see the same neighbours agree without a
// message, and one who comes or goes moves only its own pieces. Clients are random numbers, the same wherever they are seen.
func Turns(turns []int, self uint64, others []uint64) {
	for i := range turns {
		own := weight(self, i)
		turns[i] = 0
		for _, o := range others {
			if weight(o, i) > own {
				turns[i]++
			}
		}
	}
}

// weight mixes client and piece (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
func weight(client uint64, piece int) uint64 {
	x := client + uint64(piece+1)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
