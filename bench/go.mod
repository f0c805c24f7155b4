// Measurements against other programs. A module of its own, so that the peers' libraries are no dependencies of syncabel.
module syncabel/bench

go 1.26.0

require (
	gonum.org/v1/gonum v0.17.0
	syncabel v0.0.0
)

require golang.org/x/sys v0.50.0 // indirect

replace syncabel => ../
