package kernel

import "math"

// PathAttention is the attention of decoding: keys and values lie in an arena of nodes, and each row names the nodes it sees,
// oldest first, and its own node, which comes last:
//
//	y[i,h] = sum over nodes j of softmax over j of (q[i,h]·key[j,g]/sqrt(D)) value[j,g],   g = h*KV/H
//
// qkv (rows,(H+2KV)*D) holds the queries, kv (nodes,2*KV*D) keys and values. With a window only the last window nodes count.
// A row's bits do not depend on the other rows.
type PathAttention struct {
	Attention
	Path func(row int) (path []int32, node int32)
}

// pathCall is one pass over rows.
type pathCall struct {
	PathAttention
	y, qkv, kv []float32
	rows       int
	scale      float32
	workers    []pathSpace
}

// pathSpace is a thread's memory.
type pathSpace struct {
	nodes  []int32
	scores []float32
}

// pathRows is the number of rows that one task takes.
const pathRows = 8

// Run computes y (rows,H*D). longest is the length of the longest path.
func (a PathAttention) Run(p *Pool, rows, longest int, y, qkv, kv []float32) {
	w := p.workspace()
	c := &w.paths
	c.PathAttention, c.rows, c.y, c.qkv, c.kv = a, rows, y, qkv, kv
	c.scale = float32(1 / math.Sqrt(float64(a.Width)))
	if c.workers == nil {
		c.workers = make([]pathSpace, p.Threads())
	}
	for i := range c.workers {
		if sp := &c.workers[i]; len(sp.nodes) < longest+1 {
			sp.nodes, sp.scores = make([]int32, 2*longest+1), make([]float32, 2*longest+1)
		}
	}
	p.each((rows+pathRows-1)/pathRows, w.pathTask)
}

func (c *pathCall) task(worker, t int) {
	sp := &c.workers[worker]
	for i := t * pathRows; i < min((t+1)*pathRows, c.rows); i++ {
		path, node := c.Path(i)
		if c.Window > 0 {
			path = path[max(0, len(path)-(c.Window-1)):]
		}
		nodes := append(append(sp.nodes[:0], path...), node)
		for h := range c.Heads {
			c.head(i, h, nodes, sp.scores[:len(nodes)])
		}
	}
}

func (c *pathCall) head(i, h int, nodes []int32, p []float32) {
	d, v := c.Width, &current().vec
	kd := c.KVHeads * d
	g := h * c.KVHeads / c.Heads * d
	q := c.qkv[i*(c.Heads+2*c.KVHeads)*d+h*d:]
	v.dotPath(p, q[:d], c.kv[g:], nodes, 2*kd)
	v.scale(c.scale, p)
	sum := v.expSum(p, p, v.max(p))
	v.scale(1/sum, p)
	y := c.y[(i*c.Heads+h)*d : (i*c.Heads+h+1)*d]
	clear(y)
	v.axpyPath(y, p, c.kv[kd+g:], nodes, 2*kd)
}

// dotPathGo: out[j] = sum over l of q[l]*base[nodes[j]*stride+l].
func dotPathGo(out, q, base []float32, nodes []int32, stride int) {
	for j, n := range nodes {
		out[j] = dotGo(q, base[int(n)*stride:])
	}
}

// axpyPathGo: y[l] += sum over j of p[j]*base[nodes[j]*stride+l].
func axpyPathGo(y, p, base []float32, nodes []int32, stride int) {
	for j, n := range nodes {
		axpyGo(p[j], base[int(n)*stride:int(n)*stride+len(y)], y)
	}
}
