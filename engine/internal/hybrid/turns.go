package hybrid

// Turns marks the pieces that are this client's to fetch from the edge while nobody has them, so that a crowd takes one
// copy from the edge and not the same pieces several times. Each piece goes to the client with the highest number that
// piece and client hash to (rendezvous hashing, Thaler and Ravishankar 1998), so that all who see the same
// neighbours agree without a message, and one who comes or goes moves only its own pieces. Clients are random numbers, the
// same wherever they are seen.
func Turns(mine []bool, self uint64, others []uint64) {
	for i := range mine {
		own := weight(self, i)
		mine[i] = true
		for _, o := range others {
			if weight(o, i) > own {
				mine[i] = false
				break
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
