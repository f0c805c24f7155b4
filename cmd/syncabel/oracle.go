package main

import (
	"time"

	"syncabel/internal/oracle/remote"
	"syncabel/internal/pipeline"
)

// oracleFlags name the servers that compute log-probabilities. There is no flag for a key: arguments can be read by other users of
// the machine.
type oracleFlags struct {
	Oracle   []string      `help:"Address of a server that holds the run's model, e.g. http://127.0.0.1:30000; may be repeated for replicas." placeholder:"URL" sep:"none"`
	Engine   string        `name:"oracle-engine" help:"What it runs: auto, sglang, vllm or llamacpp." default:"auto" enum:"auto,sglang,vllm,llamacpp"`
	Named    string        `name:"oracle-model" help:"What it calls the model; default: the first it lists." placeholder:"NAME"`
	KeyEnv   string        `name:"oracle-key-env" help:"Environment variable that holds its key." placeholder:"NAME"`
	KeyFile  string        `name:"oracle-key-file" help:"File that holds its key." placeholder:"FILE"`
	InFlight int           `name:"oracle-in-flight" help:"Requests at a time and server." default:"32"`
	Timeout  time.Duration `name:"oracle-timeout" help:"Time of one request." default:"2m"`
}

// connect makes a run ask the servers, if any are named, and returns what the probe found (nil: no server) and what tells at the end how
// much was asked.
func (f *oracleFlags) connect(a *app, o *pipeline.Opened) (p *remote.Probe, told func(), err error) {
	if len(f.Oracle) == 0 {
		return nil, func() {}, nil
	}
	p, pool, err := o.Connect(a.ctx, pipeline.Server{Engine: f.Engine, Options: remote.Options{URLs: f.Oracle, Model: f.Named,
		KeyEnv: f.KeyEnv, KeyFile: f.KeyFile, InFlight: f.InFlight, Timeout: f.Timeout}})
	if err != nil {
		return nil, nil, err
	}
	a.meter.log("oracle: %s, model %s, %d replicas, tokenizer %s, epsilon %.2g", p.Engine, p.Model, p.Replicas, p.Tokenizer, p.Epsilon)
	before := pool.Stats()
	return p, func() {
		s := pool.Stats()
		a.meter.log("oracle: %d questions in %d rounds, %d requests (%d repeated) with %d prefixes, %.1f MB read", s.Queries-before.Queries,
			s.Rounds-before.Rounds, s.Requests-before.Requests, s.Retries-before.Retries, s.Prefixes-before.Prefixes, float64(s.Read-before.Read)/1e6)
	}, nil
}
