package pipeline

import (
	"cmp"
	"context"
	"fmt"

	"syncabel/internal/link"
	"syncabel/internal/oracle/llamacpp"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/oracle/sglang"
	"syncabel/internal/oracle/vllm"
)

// A Server is an engine that answers in place of the run's own.
type Server struct {
	Engine         string // llamacpp, vllm, sglang; empty or auto: as the server says
	remote.Options        // Vocab and Context are filled in
}

// Connect makes the run's linker, and those that Fork returns later, ask a server that holds the run's model. The server must pass
// the probe, whose result is returned with the pool that counts what is sent; Close closes it.
func (o *Opened) Connect(ctx context.Context, s Server) (*remote.Probe, *remote.Pool, error) {
	c := o.model.model.Config
	s.Vocab = c.Vocab
	pool, err := remote.New(s.Options)
	if err != nil {
		return nil, nil, err
	}
	says, err := pool.Ask(ctx)
	if err != nil {
		pool.Close()
		return nil, nil, fmt.Errorf("connecting to the oracle: %w", err)
	}
	pool.Model = says.Model
	pool.Context = cmp.Or(min(c.Context, says.Context), c.Context)
	if s.Engine == "" || s.Engine == "auto" {
		s.Engine = says.Engine
	}
	e, err := engine(s.Engine, pool)
	if err == nil {
		var p *remote.Probe
		if p, err = remote.Check(ctx, e, o.model.tok); err == nil {
			o.parts.Oracle, o.pool = e, pool
			o.Linker, err = link.New(o.parts, o.opt)
			return p, pool, err
		}
	}
	pool.Close()
	return nil, nil, err
}

func engine(name string, p *remote.Pool) (remote.Engine, error) {
	switch name {
	case sglang.Name:
		return sglang.New(p), nil
	case vllm.Name:
		return vllm.New(p), nil
	case llamacpp.Name:
		return llamacpp.New(p), nil
	}
	return nil, fmt.Errorf("%w: it calls itself %q: have sglang, vllm and llamacpp (llama-server); Ollama and chat services tell no log-probabilities of tokens", remote.ErrRefused, name)
}
