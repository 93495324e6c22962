package main

// processorTime is not told here: a crowd runs where a control plane does.
func processorTime() float64 { return 0 }
