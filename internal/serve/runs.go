package serve

import (
	"context"
	"io/fs"
	"net/http"
	"path"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// Run is a finished run: what it holds and how well it links.
type Run struct {
	Name    string           `json:"name"`
	Program string           `json:"program,omitempty"`
	Counts  map[string]int64 `json:"counts,omitempty" nullable:"false"`
	Models  []string         `json:"models,omitempty" nullable:"false"`
	Rows    []RunRow         `json:"rows" nullable:"false" doc:"Systems with their figures on the test split."`
	Report  fs.FS            `json:"-"` // folder of the report; nil: none
}

// RunRow is one system of a run.
type RunRow struct {
	System  string  `json:"system"`
	Mode    string  `json:"mode,omitempty"`
	Seeds   int     `json:"seeds,omitempty"`
	N       int     `json:"n" doc:"Mentions."`
	Recall1 float64 `json:"recall_at_1"`
	Low     float64 `json:"low" doc:"95 % interval over documents."`
	High    float64 `json:"high"`
	Recall5 float64 `json:"recall_at_5,omitempty"`
	MRR     float64 `json:"mrr,omitempty"`
}

// Info is what a client wants to know first.
type Info struct {
	Program     string   `json:"program"`
	Run         string   `json:"run"`
	Model       string   `json:"model,omitempty"`
	Groups      []string `json:"groups" nullable:"false"`
	Concepts    int      `json:"concepts"`
	Detects     bool     `json:"detects" doc:"Are mentions found in plain text?"`
	Keys        bool     `json:"keys" doc:"Is a key needed?"`
	You         string   `json:"you,omitempty" doc:"Name of the caller's key."`
	Formats     []string `json:"formats" nullable:"false" doc:"What an export can be written in."`
	MaxBody     int64    `json:"max_body"`
	MaxMentions int      `json:"max_mentions"`
}

type infoOutput struct{ Body Info }

type runsOutput struct {
	Body struct {
		Runs []Run `json:"runs" nullable:"false"`
	}
}

func (s *Server) runRoutes() {
	huma.Register(s.api, operation(http.MethodGet, "/api/v1/info", "info", "What this server is", "runs"), func(ctx context.Context, _ *struct{}) (*infoOutput, error) {
		o := &s.opt
		info := Info{Program: o.Program, Model: o.Model, Groups: o.KB.Groups(), Concepts: o.KB.Len(), Detects: o.Detector != nil, Keys: len(o.Keys) > 0,
			You: caller(ctx).Name, Formats: formatNames(), MaxBody: o.MaxBody, MaxMentions: o.MaxMentions}
		if len(o.Runs) > 0 {
			info.Run = o.Runs[0].Name
		}
		return &infoOutput{info}, nil
	})
	huma.Register(s.api, operation(http.MethodGet, "/api/v1/runs", "runs", "Runs and their figures", "runs"), func(context.Context, *struct{}) (*runsOutput, error) {
		out := &runsOutput{}
		out.Body.Runs = append([]Run{}, s.opt.Runs...)
		return out, nil
	})
	s.mux.HandleFunc("GET /api/v1/runs/{run}/report", s.report)
	op := s.describe("GET", "/api/v1/runs/{run}/report", "report", "The report of a run, one HTML page", "runs", "text/html")
	op.Parameters = []*huma.Param{{Name: "run", In: "path", Required: true, Description: "Number of the run in the list, from 0.", Schema: &huma.Schema{Type: huma.TypeInteger}, Example: 0}}
}

// report sends a run's page. It carries its own styles, so its policy differs from the rest: styles yes, scripts never.
func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("run"))
	if err != nil || n < 0 || n >= len(s.opt.Runs) || s.opt.Runs[n].Report == nil {
		refuse(w, http.StatusNotFound, "there is no such report")
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox")
	w.Header().Set("X-Frame-Options", "SAMEORIGIN")
	http.ServeFileFS(w, r, s.opt.Runs[n].Report, path.Clean("index.html"))
}
