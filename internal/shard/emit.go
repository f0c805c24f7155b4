package shard

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

// Systems that Emit writes for.
func Systems() []string { return []string{"slurm", "k8s", "nextflow"} }

// An Emit describes how workers are started.
type Emit struct {
	Verb     string   // link, synth or judge: what workers do; default link
	Name     string   // of the job; default syncabel-VERB
	Binary   string   // default syncabel
	Worker   []string // the worker's arguments but for --shard
	Merge    []string // the arguments of the command that merges
	Shards   int
	Parallel int    // shards at a time; default 32
	CPUs     int    // of a worker; default 2
	Memory   int    // of a worker, in GiB; default 8
	GPUs     int    // of a worker
	Hours    int    // a worker may take; default 4
	Engine   string // command that serves the model on 127.0.0.1:$PORT beside each worker; empty: none
	Image    string // container; default syncabel:latest
	EngImage string // container of Engine; default Image
	Volume   string // Kubernetes claim with inputs and outputs, mounted at Mount
	Mount    string // default /data
}

func (e *Emit) defaults() error {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&e.Verb, "link")
	set(&e.Name, "syncabel-"+e.Verb)
	set(&e.Binary, "syncabel")
	set(&e.Image, "syncabel:latest")
	set(&e.EngImage, e.Image)
	set(&e.Mount, "/data")
	set(&e.Volume, e.Name)
	for _, n := range []struct {
		at *int
		v  int
	}{{&e.Parallel, 32}, {&e.CPUs, 2}, {&e.Memory, 8}, {&e.Hours, 4}} {
		if *n.at == 0 {
			*n.at = n.v
		}
	}
	e.Parallel = min(e.Parallel, e.Shards)
	for _, s := range slices.Concat(e.Worker, e.Merge, []string{e.Name, e.Binary, e.Engine, e.Image, e.EngImage, e.Volume, e.Mount}) {
		if strings.ContainsAny(s, "\n\r\x00") {
			return fmt.Errorf("%q: no line end can stand in a script", s)
		}
	}
	if e.Shards < 1 {
		return errors.New("a plan without shards")
	}
	if strings.Trim(e.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("the name %q: small letters, digits and hyphens only", e.Name)
	}
	return nil
}

// Files returns the script of a system by its name.
func (e Emit) Files(system string) (map[string][]byte, error) {
	if err := e.defaults(); err != nil {
		return nil, err
	}
	file, ok := map[string]string{"slurm": "link.sbatch", "k8s": "job.yaml", "nextflow": "main.nf"}[system]
	if !ok {
		return nil, fmt.Errorf("unknown system %q: have %s", system, strings.Join(Systems(), ", "))
	}
	t := template.New(file)
	t.Funcs(template.FuncMap{"sh": Shell, "yaml": yamlList, "str": yamlString, "groovy": groovy, "upper": strings.ToUpper,
		"sub": func(a, b int) int { return a - b }, "indent": func(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") },
		"render": func(name string) (string, error) { // a template whose text is still to be escaped
			var b strings.Builder
			err := t.ExecuteTemplate(&b, name, &e)
			return b.String(), err
		}})
	if _, err := t.ParseFS(templates, "templates/*"); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, &e); err != nil {
		return nil, err
	}
	return map[string][]byte{strings.Replace(file, "link", e.Verb, 1): b.Bytes()}, nil
}

// Command is a worker's command line but for --shard.
func (e *Emit) Command() []string { return append([]string{e.Binary}, e.Worker...) }

// MergeCommand is the command line that merges.
func (e *Emit) MergeCommand() []string { return append([]string{e.Binary}, e.Merge...) }

// EngineCommand is Engine as one argument of a shell.
func (e *Emit) EngineCommand() []string { return []string{"exec " + e.Engine} }

// AskFlag is how a worker is told of Engine, whose address follows.
func (e *Emit) AskFlag() string {
	if e.Verb == "link" {
		return "--oracle"
	}
	return "--endpoint"
}

// AskPath ends the address.
func (e *Emit) AskPath() string {
	if e.Verb == "link" {
		return ""
	}
	return "/v1"
}

const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+"

// Shell quotes arguments for sh.
func Shell(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; a == "" || strings.Trim(a, harmless) != "" {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

// yamlString is a double-quoted YAML scalar, whose escapes are Go's for what can stand in an argument. Kubernetes replaces $(NAME) in
// arguments; a doubled dollar stays one.
func yamlString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`).Replace(s) + `"`
}

func yamlList(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = yamlString(strings.ReplaceAll(a, "$(", "$$("))
	}
	return strings.Join(out, ", ")
}

// groovy escapes a shell command for a script block between three double quotes.
func groovy(s string) string {
	return strings.NewReplacer(`\`, `\\`, `$`, `\$`, `"`, `\"`).Replace(s)
}
