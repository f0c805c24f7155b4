package main

import (
	"slices"
	"time"

	"syncabel/internal/pipeline"
)

// oracleFlags say where a run's model computes: on which servers, or here, of weights that may be checked first. There is no flag for a
// key: arguments can be read by other users of the machine.
type oracleFlags struct {
	Oracle   []string      `help:"Address of a server that holds the run's model, e.g. http://127.0.0.1:30000; may be repeated for replicas; none: compute here. Default: as the run's config says." placeholder:"URL" sep:"none"`
	Engine   string        `name:"oracle-engine" help:"What it runs: auto, sglang, vllm or llamacpp." default:"auto" enum:"auto,sglang,vllm,llamacpp"`
	Named    string        `name:"oracle-model" help:"What it calls the model; default: the first it lists." placeholder:"NAME"`
	KeyEnv   string        `name:"oracle-key-env" help:"Environment variable that holds its key." placeholder:"NAME"`
	KeyFile  string        `name:"oracle-key-file" help:"File that holds its key." placeholder:"FILE"`
	InFlight int           `name:"oracle-in-flight" help:"Requests at a time and server." default:"32"`
	Timeout  time.Duration `name:"oracle-timeout" help:"Time of one request." default:"2m"`
	Verify   bool          `help:"Compare the weights with their hash before they are used, which takes as long as reading them."`
}

// open opens a run with the model on the servers that are named, here or in the run's config, and tells what the probe found. The
// function that it returns closes the run and tells how much was asked.
func (f *oracleFlags) open(a *app, dir string, opt pipeline.OpenOptions) (*pipeline.Opened, func(), error) {
	if opt.Native = slices.Equal(f.Oracle, []string{"none"}); !opt.Native {
		opt.Oracle = pipeline.Oracle{URLs: f.Oracle, Engine: f.Engine, Model: f.Named, KeyEnv: f.KeyEnv, KeyFile: f.KeyFile, InFlight: f.InFlight,
			Timeout: int(f.Timeout.Seconds())}
	}
	opt.Verify = f.Verify
	o, err := pipeline.OpenRun(a.ctx, dir, opt)
	if err != nil {
		return nil, nil, err
	}
	p, pool := o.Remote()
	if p == nil {
		return o, o.Close, nil
	}
	a.meter.log("oracle: %s, model %s, %d replicas, tokenizer %s, epsilon %.2g", p.Engine, p.Model, p.Replicas, p.Tokenizer, p.Epsilon)
	before := pool.Stats()
	return o, func() {
		s := pool.Stats()
		a.meter.log("oracle: %d questions in %d rounds, %d requests (%d repeated) with %d prefixes, %.1f MB read", s.Queries-before.Queries,
			s.Rounds-before.Rounds, s.Requests-before.Requests, s.Retries-before.Retries, s.Prefixes-before.Prefixes, float64(s.Read-before.Read)/1e6)
		o.Close()
	}, nil
}
