// Package kit holds the small widgets that Fyne lacks: a bar and a graph in two colours, a map of pieces, text that is cut
// to its room, a row of choices, a switchable entry of a navigation. They know colours and numbers, not downloads. They
// report what the user does through callbacks and must never call a service.
package kit
