package model

// Where dropout acts: on the embeddings and, per layer, on what attention and the gated layer add.
const (
	siteEmbedding = iota
	siteAttention
	siteMLP
	sites
)

// dropout zeroes elements with probability rate and scales the others by 1/(1-rate). The mask is a function of seed,
// step, micro-batch, layer, site and index, so the backward pass computes it again and any number of threads agrees.
type dropout struct {
	rate  float64
	key   uint64 // of the running micro-batch
	site  uint64
	x     []float32
	width int
}

func (d *dropout) on() bool { return d.rate > 0 }

// mix is the finaliser of splitmix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// dropout masks x (T,C) in place.
func (s *pass) dropout(x []float32, site int) {
	if !s.drop.on() {
		return
	}
	s.drop.site = mix(s.drop.key ^ uint64(s.l*sites+site)*0x9e3779b97f4a7c15)
	if site == siteEmbedding {
		s.drop.site = mix(s.drop.key)
	}
	s.drop.x, s.drop.width = x, s.m.Config.HiddenSize
	s.p.For(blocks(s.n), s.loop.dropRows)
}

func (s *pass) dropRows(i int) {
	lo, hi := s.block(i)
	d := &s.drop
	keep := float32(1 / (1 - d.rate))
	limit := uint32(d.rate * (1 << 32))
	x := d.x[lo*d.width : hi*d.width]
	for j := range x {
		if uint32(mix(d.site+uint64(lo*d.width+j))) < limit {
			x[j] = 0
		} else {
			x[j] *= keep
		}
	}
}
