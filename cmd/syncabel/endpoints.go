package main

import (
	"time"

	"syncabel/internal/llm"
	"syncabel/internal/pipeline"
)

// endpointFlags name the servers of a verb that talks to language models. There is no flag for a key: arguments can be read by
// other users of the machine.
type endpointFlags struct {
	Endpoint   string        `help:"Address of an OpenAI-compatible server, e.g. http://127.0.0.1:8000/v1." placeholder:"URL"`
	Endpoints  string        `help:"TOML file with [[endpoint]] sections, for several servers with their own limits." type:"existingfile" placeholder:"FILE"`
	API        string        `name:"api" help:"Protocol: openai, anthropic or gemini." default:"openai" enum:"openai,anthropic,gemini"`
	ServerName string        `name:"server-model" help:"What this server calls the model; default: as the plan."`
	KeyEnv     string        `help:"Environment variable that holds the API key." placeholder:"NAME"`
	KeyFile    string        `help:"File that holds the API key." placeholder:"FILE"`
	InFlight   int           `help:"Requests at a time." default:"64"`
	PerSecond  float64       `help:"Requests begun a second at most; 0: no limit."`
	Structured string        `help:"Answers by JSON schema: auto, on or off." default:"auto" enum:"auto,on,off"`
	Stream     bool          `help:"Read answers as they are written."`
	Timeout    int           `help:"Seconds of one request." default:"300"`
	GiveUp     time.Duration `help:"End when no server answers for so long; default: 30s before the first answer, 10m later." placeholder:"TIME"`
	PriceIn    float64       `help:"Price of a million tokens read."`
	PriceOut   float64       `help:"Price of a million tokens written."`
}

// list returns the endpoints that the flags name.
func (f *endpointFlags) list() ([]llm.Endpoint, error) {
	switch {
	case f.Endpoint != "" && f.Endpoints != "":
		return nil, &usageError{"either --endpoint or --endpoints is expected, not both"}
	case f.Endpoints != "":
		return pipeline.LoadEndpoints(f.Endpoints)
	case f.Endpoint != "":
		return []llm.Endpoint{{URL: f.Endpoint, API: f.API, Model: f.ServerName, KeyEnv: f.KeyEnv, KeyFile: f.KeyFile, InFlight: f.InFlight, PerSecond: f.PerSecond,
			Structured: f.Structured, Stream: f.Stream, Timeout: f.Timeout, PriceIn: f.PriceIn, PriceOut: f.PriceOut}}, nil
	}
	return nil, &usageError{"no server is named: give --endpoint URL, e.g. http://127.0.0.1:8000/v1, or --endpoints FILE; nothing is ever sent anywhere else"}
}

// client makes a client for the endpoints.
func (f *endpointFlags) client() (*llm.Client, error) {
	list, err := f.list()
	if err != nil {
		return nil, err
	}
	return llm.NewClient(list, llm.Options{GiveUp: f.GiveUp, FirstWait: f.GiveUp})
}
