package torchrun

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"syncabel/internal/shard"
)

//go:embed train.sbatch
var sbatch string

// A Slurm is a job that trains.
type Slurm struct {
	Name    string
	Command []string // command line that trains; it goes on from its state when it is given again
	Nodes   int
	GPUs    int // of a node
	CPUs    int // of a node
	Memory  int // of a node, in GiB; 0: all there is
	Hours   int
}

// Script returns the job as a file for sbatch. A job that Slurm stops, for its time or for a better one, saves its state and is queued
// again.
func (s Slurm) Script() ([]byte, error) {
	for _, a := range append([]string{s.Name}, s.Command...) {
		if strings.ContainsAny(a, "\n\r\x00") {
			return nil, fmt.Errorf("%q: no line end can stand in a script", a)
		}
	}
	t, err := template.New("train.sbatch").Funcs(template.FuncMap{"sh": shard.Shell}).Parse(sbatch)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, s)
	return b.Bytes(), err
}
