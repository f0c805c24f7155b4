package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A Pool runs loops on persistent workers. Waking a parked goroutine takes milliseconds on a busy machine, more than a
// whole training step may have between two products, so inside a hot scope (Begin ... End) idle workers spin before they
// park. A nil *Pool runs everything on the caller. For must not be called from inside a task or by two goroutines at once.
type Pool struct {
	threads int
	job     atomic.Pointer[job]
	free    job // the one job object, reused: a For allocates nothing
	hot     atomic.Int32
	parked  atomic.Int32
	mu      sync.Mutex
	cond    *sync.Cond
	closed  bool
	space   workspace
}

type job struct {
	f    func(int)
	fw   func(worker, i int) // instead of f, where a task needs memory of its thread's own
	n    int64
	next atomic.Int64
	_    [112]byte // the two counters on lines of their own
	done atomic.Int64
	_    [120]byte
	in   atomic.Int64 // workers that may still look at this job
}

// NewPool starts a pool of the given number of threads, the caller counted; 0 means one per processor.
func NewPool(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads}
	p.cond = sync.NewCond(&p.mu)
	for i := 1; i < threads; i++ {
		go p.work(i)
	}
	return p
}

// Threads returns the number of threads, at least 1.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return p.threads
}

// Begin opens a hot scope: workers spin between loops until End. Scopes nest.
func (p *Pool) Begin() {
	if p == nil || p.threads == 1 {
		return
	}
	p.hot.Add(1)
}

// End closes a hot scope.
func (p *Pool) End() {
	if p != nil && p.threads > 1 {
		p.hot.Add(-1)
	}
}

// Close stops the workers.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.closed = true
	p.cond.Broadcast()
	p.mu.Unlock()
}

// For calls f(i) for i in [0,n), in any order and on any thread, and returns when all calls have returned.
func (p *Pool) For(n int, f func(i int)) {
	if p == nil || p.threads == 1 || n <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	p.run(n, f, nil)
}

// each is For with the number of the thread that runs a call, below Threads.
func (p *Pool) each(n int, f func(worker, i int)) {
	if p == nil || p.threads == 1 || n <= 1 {
		for i := range n {
			f(0, i)
		}
		return
	}
	p.run(n, nil, f)
}

func (p *Pool) run(n int, f func(int), fw func(int, int)) {
	j := &p.free
	for j.in.Load() != 0 { // a worker still leaving the last job
		runtime.Gosched()
	}
	j.f, j.fw, j.n = f, fw, int64(n)
	j.next.Store(0)
	j.done.Store(0)
	p.job.Store(j)
	if p.parked.Load() > 0 {
		p.mu.Lock()
		p.cond.Broadcast()
		p.mu.Unlock()
	}
	j.drain(0)
	for spins := 0; j.done.Load() < j.n; spins++ {
		if spins > 2000 {
			runtime.Gosched()
		} else {
			pause()
		}
	}
	p.job.Store(nil)
}

func (j *job) drain(worker int) {
	for {
		i := j.next.Add(1) - 1
		if i >= j.n {
			return
		}
		if j.fw != nil {
			j.fw(worker, int(i))
		} else {
			j.f(int(i))
		}
		j.done.Add(1)
	}
}

// enter takes part in the current job if there is one. The count in j.in keeps the caller from reusing the job while a
// worker still holds it; the second look at p.job makes sure the worker counted itself before the job ended.
func (p *Pool) enter(worker int) bool {
	j := p.job.Load()
	if j == nil {
		return false
	}
	j.in.Add(1)
	if p.job.Load() == j {
		j.drain(worker)
	}
	j.in.Add(-1)
	return true
}

// Idle workers count pauses instead of asking the clock, which costs a system call on some virtual machines. One pause is
// a few dozen nanoseconds, so these are about 0.2 and 10 ms.
const (
	parkAfter    = 1 << 12
	parkAfterHot = 1 << 16
)

func (p *Pool) work(worker int) {
	for idle := 0; ; idle++ {
		if p.enter(worker) {
			idle = 0
			continue
		}
		pause()
		if idle < parkAfter || p.hot.Load() > 0 && idle < parkAfterHot {
			continue
		}
		if p.wait() {
			return
		}
		idle = 0
	}
}

// wait parks until there is a job, and reports whether the pool was closed. For wakes parked workers.
func (p *Pool) wait() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parked.Add(1)
	for !p.closed && p.job.Load() == nil {
		p.cond.Wait()
	}
	p.parked.Add(-1)
	return p.closed
}
