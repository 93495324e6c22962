// Package window is the composition root of the window: it gives the views a service, a computer and a toolkit. It is built
// with the tag desktop and cgo, because the toolkit's driver needs OpenGL and a window system; without the tag
// nothing is left of it, so that the rest of the project builds and is tested anywhere. It must never hold
// behaviour of the views.
package window
