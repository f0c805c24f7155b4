package model

import (
	"fmt"
	"math"

	"syncabel/internal/kernel"
)

// SessionOptions size a session. The zero value holds 4,096 nodes and uses all processors.
type SessionOptions struct {
	Nodes   int          // places for keys and values to begin with; 0: 4096. More are made when a row names one
	Threads int          // 0: all processors
	Pool    *kernel.Pool // shared pool; nil: one of Threads threads of its own
}

// A Row is one token to run. Its keys and values go to node Node; it attends to the nodes of Path, oldest first, and to
// itself, which Path does not contain. Rows of one call may attend to each other, so a prompt, a level of a beam or a
// whole tree of names runs in one call. Nodes of Path must hold keys and values of this or an earlier Run.
type Row struct {
	Token int32
	Pos   int32
	Node  int32
	Path  []int32
}

// A Want asks for scores after one row of the last Run.
type Want struct {
	Row int
	IDs []int32   // token ids
	Dst []float32 // len(IDs): receives log-probabilities under the softmax over the whole vocabulary
}

// maxNodes bounds the arena, so that a wrong node number is an error and not an exhausted machine.
const maxNodes = 1 << 24

// A Session runs tokens through a model for inference. Keys and values live in a node arena [layer][node][K|V]; a
// hypothesis is a list of nodes, so forking one copies a few numbers. A row's result has the same bits whatever other
// rows run with it and however many threads there are. A session allocates when rows, nodes or paths grow beyond what it
// has seen, and not otherwise. It is not for use by several goroutines; several sessions may share a model, but the model
// must not be trained while one of them runs.
type Session struct {
	m       *Model
	p       *kernel.Pool
	ownPool bool
	w       *packed
	version uint64
	rope    *rope
	nodes   int
	kv      [][]float32 // by layer: (nodes, 2*K*D), keys then values
	nodePos []int32     // position of the row that filled a node, -1 for none

	rows                 []Row
	capacity             int // rows that the buffers hold
	x, n1, qkv, y, gu, h []float32
	scores               []float32
	longest              int // path of the running call
	l                    int // layer that the loops work on
	first                int // first row of the attention group
	loop                 sessionLoops
	head                 sessionHead
}

type sessionLoops struct{ norm1, store, attend, norm2, swiglu, lse func(int) }

// NewSession returns a session on m. It packs the weights, once per model and update.
func NewSession(m *Model, o SessionOptions) (*Session, error) {
	if o.Nodes < 0 || o.Nodes > maxNodes {
		return nil, fmt.Errorf("session of %d nodes: must be at most %d", o.Nodes, maxNodes)
	}
	if o.Nodes == 0 {
		o.Nodes = 4096
	}
	s := &Session{m: m, p: o.Pool, rope: newRope(m.Config), kv: make([][]float32, len(m.layers))}
	if s.p == nil {
		s.p, s.ownPool = kernel.NewPool(o.Threads), true
	}
	s.loop = sessionLoops{norm1: s.norm1Row, store: s.storeRow, attend: s.attendTask, norm2: s.norm2Row, swiglu: s.swigluRow, lse: s.lseRow}
	s.refresh()
	s.growNodes(o.Nodes)
	return s, nil
}

// Close stops the threads of a session that made its own pool.
func (s *Session) Close() {
	if s.ownPool {
		s.p.Close()
	}
}

// Begin and End mark a stretch of many calls in close succession, a search for instance: threads stay awake in between.
func (s *Session) Begin() { s.p.Begin() }

// End closes what Begin opened.
func (s *Session) End() { s.p.End() }

// Vocab returns V, the number of logits of a row.
func (s *Session) Vocab() int { return s.m.Config.VocabSize }

// refresh packs the weights again after the model was trained.
func (s *Session) refresh() {
	if s.w != nil && s.version == s.m.version {
		return
	}
	s.w, s.version = s.m.packedNow(), s.m.version
}

// growNodes makes room for n nodes.
func (s *Session) growNodes(n int) {
	if n <= s.nodes {
		return
	}
	n = max(n, s.nodes*3/2)
	width := 2 * s.m.Config.kvHeads() * s.m.Config.headDim()
	for l := range s.kv {
		grown := alignedFloats(n * width)
		copy(grown, s.kv[l])
		s.kv[l] = grown
	}
	pos := make([]int32, n)
	for i := copy(pos, s.nodePos); i < n; i++ {
		pos[i] = -1
	}
	s.nodePos, s.nodes = pos, n
}

// attendRows is the number of rows whose attention runs at once: it bounds the scratch for scores.
const attendRows = 64

// growRows makes room for n rows.
func (s *Session) growRows(n int) {
	cfg := s.m.Config
	if n > s.capacity {
		n = roundUp(n, 64)
		c, d, f := cfg.HiddenSize, cfg.headDim(), cfg.IntermediateSize
		s.capacity = n
		s.x, s.n1 = alignedFloats(n*c), alignedFloats(n*c)
		s.qkv = alignedFloats(n * (cfg.NumAttentionHeads + 2*cfg.kvHeads()) * d)
		s.y = alignedFloats(n * cfg.NumAttentionHeads * d)
		s.gu, s.h = alignedFloats(n*2*f), alignedFloats(n*f)
		s.head.grow(cfg, n)
	}
	if need := attendRows * cfg.kvHeads() * (s.longest + 1); need > len(s.scores) {
		s.scores = alignedFloats(need * 5 / 4)
	}
}

// check validates the rows, makes room for their nodes and notes the longest path.
func (s *Session) check(rows []Row) error {
	s.longest = 0
	topNode, topPos := int32(-1), int32(0)
	for i := range rows {
		r := &rows[i]
		if uint32(r.Token) >= uint32(s.m.Config.VocabSize) {
			return fmt.Errorf("row %d: token %d is outside the vocabulary of %d", i, r.Token, s.m.Config.VocabSize)
		}
		if r.Pos < 0 || r.Node < 0 || r.Node >= maxNodes {
			return fmt.Errorf("row %d: position %d or node %d is out of range", i, r.Pos, r.Node)
		}
		topNode, topPos = max(topNode, r.Node), max(topPos, r.Pos)
		s.longest = max(s.longest, len(r.Path))
	}
	s.growNodes(int(topNode) + 1)
	s.rope.grow(int(topPos) + 1)
	for i := range rows {
		s.nodePos[rows[i].Node] = rows[i].Pos
	}
	for i := range rows {
		for _, n := range rows[i].Path {
			if uint32(n) >= uint32(s.nodes) || s.nodePos[n] < 0 {
				return fmt.Errorf("row %d: its path names node %d, which holds nothing", i, n)
			}
		}
	}
	return nil
}

// Run computes the rows and stores their keys and values. All rows of a layer are stored before attention. Scores of the
// rows can be asked for until the next Run.
func (s *Session) Run(rows []Row) error {
	if err := s.check(rows); err != nil {
		return err
	}
	s.p.Begin()
	defer s.p.End()
	s.refresh()
	s.growRows(len(rows))
	s.rows = rows
	s.head.reset(len(rows))
	c := s.m.Config.HiddenSize
	for i := range rows {
		s.m.embed.Row(int(rows[i].Token), s.x[i*c:(i+1)*c])
	}
	for l := range s.m.layers {
		s.l = l
		s.runLayer()
	}
	s.rows = nil
	return nil
}

// runLayer takes x through one layer.
func (s *Session) runLayer() {
	cfg, w, n := s.m.Config, &s.w.layers[s.l], len(s.rows)
	c, d, f := cfg.HiddenSize, cfg.headDim(), cfg.IntermediateSize
	s.p.For(n, s.loop.norm1)
	multiply(s.p, w.qkv, n, s.n1, c, s.qkv, (cfg.NumAttentionHeads+2*cfg.kvHeads())*d)
	s.p.For(n, s.loop.store)
	for s.first = 0; s.first < n; s.first += attendRows {
		s.p.For(min(attendRows, n-s.first)*cfg.kvHeads(), s.loop.attend)
	}
	kernel.GemmPacked(s.p, n, s.y, cfg.NumAttentionHeads*d, w.o.w, s.n1, c)
	s.p.For(n, s.loop.norm2)
	multiply(s.p, w.gateUp, n, s.n1, c, s.gu, 2*f)
	s.p.For(n, s.loop.swiglu)
	kernel.GemmPacked(s.p, n, s.h, f, w.down.w, s.n1, c)
	kernel.Axpy(1, s.n1[:n*c], s.x[:n*c])
}

func (s *Session) norm1Row(i int) {
	c := s.m.Config.HiddenSize
	kernel.RMSNorm(s.n1[i*c:(i+1)*c], s.x[i*c:(i+1)*c], s.m.layers[s.l].norm1, nil, c, float32(s.m.Config.RMSNormEps))
}

// norm2Row adds what attention wrote to n1 to the residual stream and normalises the sum.
func (s *Session) norm2Row(i int) {
	c := s.m.Config.HiddenSize
	x, n1, y := s.x[i*c:(i+1)*c], s.n1[i*c:(i+1)*c], &s.m.layers[s.l]
	kernel.Axpy(1, n1, x)
	if len(y.oBias) > 0 {
		kernel.Axpy(1, y.oBias, x)
	}
	kernel.RMSNorm(n1, x, y.norm2, nil, c, float32(s.m.Config.RMSNormEps))
}

// storeRow adds biases, applies head norms, turns query and key, and stores key and value at the row's node.
func (s *Session) storeRow(i int) {
	cfg, y := s.m.Config, &s.m.layers[s.l]
	d := cfg.headDim()
	q, kv := cfg.NumAttentionHeads*d, cfg.kvHeads()*d
	row := s.qkv[i*(q+2*kv) : (i+1)*(q+2*kv)]
	if len(y.qBias) > 0 {
		kernel.Axpy(1, y.qBias, row[:q])
		kernel.Axpy(1, y.kBias, row[q:q+kv])
		kernel.Axpy(1, y.vBias, row[q+kv:])
	}
	if cfg.qkNorm() {
		eps := float32(cfg.RMSNormEps)
		kernel.RMSNorm(row[:q], row[:q], y.qNorm, nil, d, eps)
		kernel.RMSNorm(row[q:q+kv], row[q:q+kv], y.kNorm, nil, d, eps)
	}
	cos, sin := s.rope.at(int(s.rows[i].Pos))
	kernel.Rotate(row[:q+kv], cos, sin, d, 1)
	copy(s.kv[s.l][int(s.rows[i].Node)*2*kv:], row[q:])
}

// attendTask computes one row and one key-value head of the running group.
func (s *Session) attendTask(task int) {
	cfg := s.m.Config
	kvHeads, d := cfg.kvHeads(), cfg.headDim()
	i, g := s.first+task/kvHeads, task%kvHeads
	r, group := &s.rows[i], cfg.NumAttentionHeads/kvHeads
	path := s.visible(r)
	p := s.scores[task*(s.longest+1):][:len(path)+1]
	width, kv := 2*kvHeads*d, s.kv[s.l]
	scale := float32(1 / math.Sqrt(float64(d)))
	own := int(r.Node) * width
	for h := g * group; h < (g+1)*group; h++ {
		q := s.qkv[i*(cfg.NumAttentionHeads+2*kvHeads)*d+h*d:][:d]
		for j, n := range path {
			p[j] = kernel.Dot(q, kv[int(n)*width+g*d:][:d]) * scale
		}
		p[len(path)] = kernel.Dot(q, kv[own+g*d:][:d]) * scale
		kernel.Softmax(p)
		y := s.y[(i*cfg.NumAttentionHeads+h)*d:][:d]
		clear(y)
		for j, n := range path {
			kernel.Axpy(p[j], kv[int(n)*width+(kvHeads+g)*d:][:d], y)
		}
		kernel.Axpy(p[len(path)], kv[own+(kvHeads+g)*d:][:d], y)
	}
}

// visible returns the part of a row's path inside the layer's window.
func (s *Session) visible(r *Row) []int32 {
	path, window := r.Path, int32(s.m.layers[s.l].window)
	if window == 0 {
		return path
	}
	for len(path) > 0 && s.nodePos[path[0]] <= r.Pos-window {
		path = path[1:]
	}
	return path
}

func (s *Session) swigluRow(i int) {
	f := s.m.Config.IntermediateSize
	kernel.SwiGLU(s.h[i*f:(i+1)*f], s.gu[i*2*f:(i+1)*2*f])
}
