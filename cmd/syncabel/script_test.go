package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"syncabel/internal/llm/fake"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"syncabel": main})
}

// TestScripts runs sessions of the real binary. The models in them are trained for a few thousand tokens: they show that
// the chain works, not how well.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: servers, UpdateScripts: os.Getenv("UPDATE") != ""})
}

// servers gives every script servers of language models: $LLM answers, $LLM_FAULTY makes one fault of each kind in ten answers,
// $LLM_STRICT wants the key in $LLM_KEY, and $LLM_JUDGE gives verdicts. $REPO is the repository.
func servers(env *testscript.Env) error {
	faults := map[string]float64{}
	for _, f := range []string{fake.TooMany, fake.Internal, fake.Cut, fake.Truncated, fake.Language, fake.Duplicate, fake.Bracket} {
		faults[f] = 0.1
	}
	const key = "sk-script-5d1f"
	for name, opt := range map[string]fake.Options{"LLM": {}, "LLM_FAULTY": {Faults: faults}, "LLM_STRICT": {Key: key, Polls: 1}, "LLM_JUDGE": {Answer: verdicts}} {
		s := httptest.NewServer(fake.New(opt))
		env.Defer(s.Close)
		env.Setenv(name, s.URL)
	}
	env.Setenv("LLM_KEY", key)
	repo, err := filepath.Abs("../..")
	env.Setenv("REPO", repo)
	return err
}

// verdicts answers as a judge: always the same, and prose about the flu.
func verdicts(a fake.Ask) string {
	if strings.Contains(a.User, "The [flu]") {
		return "I cannot say."
	}
	return `{"a":"EXACT","b":"NARROW"}`
}
