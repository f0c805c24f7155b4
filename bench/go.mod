// Measurements against other programs. A module of its own, so that the peers' libraries are no dependencies of syncabel.
module syncabel/bench

go 1.26.0

require (
	github.com/hybridgroup/yzma v1.26.1
	gonum.org/v1/gonum v0.17.0
	syncabel v0.0.0
)

require (
	github.com/ebitengine/purego v0.10.0 // indirect
	github.com/jupiterrider/ffi v0.7.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
)

replace syncabel => ../
