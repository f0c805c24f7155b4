package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// program builds syncabel, or takes the one that SYNCABEL_BIN names.
func program(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("SYNCABEL_BIN"); p != "" {
		return p
	}
	p := filepath.Join(t.TempDir(), "syncabel")
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", p, "./cmd/syncabel").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return p
}

// demoRun returns the folder of a run: SYNCABEL_RUN, or the demonstration with hardly any training.
func demoRun(t *testing.T, bin string) string {
	t.Helper()
	if dir := os.Getenv("SYNCABEL_RUN"); dir != "" {
		return dir
	}
	dir := filepath.Join(t.TempDir(), "demo")
	if out, err := exec.Command(bin, "demo", "--out", dir, "--set", "train.tokens=60000", "--set", "link.modes=['hybrid']").CombinedOutput(); err != nil {
		t.Fatalf("demo: %v\n%s", err, out)
	}
	return dir
}

// served starts `syncabel serve` on a free port and returns its address.
func served(t *testing.T, bin, run string) string {
	t.Helper()
	cmd := exec.Command(bin, "serve", "--run", run, "--addr", "127.0.0.1:0", "--review", filepath.Join(t.TempDir(), "review.db"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal("the server said no address: ", err)
	}
	return strings.TrimSpace(url)
}

// text waits until an element's text holds s.
func text(t *testing.T, b *Tab, selector, s string) {
	t.Helper()
	var got string
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		b.Do(t, chromedp.Evaluate(fmt.Sprintf(`(document.querySelector(%q) || {}).textContent || ""`, selector), &got))
		if strings.Contains(got, s) {
			return
		}
	}
	t.Fatalf("%s holds %q, not %q", selector, got, s)
}

// visible waits until an element is seen that every key may replace: chromedp.WaitVisible fails when the one it has found is gone.
func visible(selector string) chromedp.Action {
	return chromedp.Poll(fmt.Sprintf(`(document.querySelector(%q) || { checkVisibility: () => false }).checkVisibility()`, selector), nil)
}

// picture keeps a screenshot where SYNCABEL_SCREENSHOTS names a folder.
func picture(t *testing.T, b *Tab, name string) {
	t.Helper()
	dir := os.Getenv("SYNCABEL_SCREENSHOTS")
	if dir == "" {
		return
	}
	var png []byte
	b.Do(t, chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

func dark(on bool) chromedp.Action {
	scheme := map[bool]string{true: "dark", false: "light"}[on]
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}})
}

// TestServe does what a user does: links a sentence, picks another candidate, searches with a typing error, reviews ten synthetic
// sentences by keyboard, takes one back, exports, and finds the result in a training set. No error is on the console and
// nothing is asked of anyone but the server.
func TestServe(t *testing.T) {
	b := Open(t)
	bin := program(t)
	run := demoRun(t, bin)
	url := served(t, bin, run)
	downloads := t.TempDir()
	b.Do(t, cdpbrowser.SetDownloadBehavior(cdpbrowser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(downloads), chromedp.EmulateViewport(1080, 760), dark(false),
		chromedp.Navigate(url), chromedp.WaitVisible("#dolink"), chromedp.Click("summary"), chromedp.SendKeys("#reviewer", "ana"+kb.Tab), chromedp.Click("summary"))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("faults %q", b.Faults())
		}
	})
	linkPart(t, b)
	conceptPart(t, b)
	reviewPart(t, b)
	trainingPart(t, b, bin, downloads)
	auditPart(t, b)
	b.Do(t, chromedp.Click(`nav a[href="#runs"]`), chromedp.WaitVisible("table"))
	text(t, b, "main", "guided + stage 0")
	picture(t, b, "serve-runs")
	b.Do(t, chromedp.Click("summary"), chromedp.SetValue("#language", "es"), chromedp.Evaluate(`document.getElementById("language").dispatchEvent(new Event("change"))`, nil))
	text(t, b, "nav", "Revisión")
	if f := b.Faults(); len(f) > 0 {
		t.Errorf("on the console: %q", f)
	}
	if r := b.Outside(url, "blob:"+url); len(r) > 0 {
		t.Errorf("requests to elsewhere: %q", r)
	}
}

func linkPart(t *testing.T, b *Tab) {
	const sentence = "Un patient 😷 had a heart attack <b>and</b> took aspirin."
	b.Do(t, chromedp.Focus("#text"), chromedp.Evaluate(`document.getElementById("text").select()`, nil), input.InsertText(sentence))
	for i, word := range []string{"heart attack", "aspirin"} {
		b.Do(t, chromedp.Evaluate(fmt.Sprintf(`(() => { const a = document.getElementById("text"), i = a.value.indexOf(%q); a.focus(); a.setSelectionRange(i, i + %d); })()`, word, len(word)), nil))
		if i == 0 {
			b.Do(t, chromedp.Click("#mark"))
		} else { // by keyboard
			b.Do(t, chromedp.Evaluate(`document.getElementById("text").dispatchEvent(new KeyboardEvent("keydown", { key: "m", altKey: true, bubbles: true }))`, nil))
		}
		text(t, b, ".chip:last-child", word)
	}
	b.Do(t, chromedp.Click("#dolink"), chromedp.WaitVisible("#candidates"))
	text(t, b, ".text", "had a heart attack <b>and</b> took") // the markup of the text is text
	text(t, b, "#candidates li:nth-child(1)", "myocardial infarction")
	text(t, b, "#candidates li:nth-child(1) .why", "›")
	picture(t, b, "serve-link")
	b.Do(t, chromedp.Click("#candidates li:nth-child(2) input"))
	text(t, b, "#status", "heart attack")
	var picked bool
	b.Do(t, chromedp.Evaluate(`document.querySelector("#candidates li:nth-child(2) input").checked`, &picked))
	if !picked {
		t.Error("the second candidate is not chosen")
	}
	b.Do(t, chromedp.Click("#sendreview"))
	text(t, b, "#status", "review queue")
}

func conceptPart(t *testing.T, b *Tab) {
	b.Do(t, chromedp.Click(`nav a[href="#concepts"]`), chromedp.WaitVisible(`input[type=search]`), chromedp.SendKeys(`input[type=search]`, "hart atack"), visible(`li[role=option]`))
	text(t, b, "li[role=option]", "heart attack")
	b.Do(t, chromedp.SendKeys(`input[type=search]`, kb.ArrowDown+kb.Enter), chromedp.WaitVisible("article"))
	text(t, b, "article", "myocardial infarction")
	text(t, b, "article", "infarctus")
	picture(t, b, "serve-concepts")
}

func reviewPart(t *testing.T, b *Tab) {
	b.Do(t, chromedp.Click(`nav a[href="#review"]`), chromedp.WaitVisible("#item mark"), chromedp.Evaluate(`document.activeElement.blur()`, nil))
	press := func(key, says string) {
		b.Do(t, chromedp.Evaluate(`document.getElementById("status").textContent = ""`, nil), chromedp.KeyEvent(key))
		text(t, b, "#status", says)
	}
	for range 6 {
		press("a", "Accepted")
	}
	press("r", "Rejected")
	press("s", "Skipped")
	b.Do(t, chromedp.KeyEvent("n"), chromedp.SendKeys("#note", "odd sentence"+kb.Escape))
	press("r", "Rejected")
	b.Do(t, chromedp.KeyEvent("c"), chromedp.WaitVisible(`#item input[type=search]`), chromedp.SendKeys(`#item input[type=search]`, "a"), visible(`#item li[role=option]`),
		dark(true))
	picture(t, b, "serve-review-dark")
	b.Do(t, dark(false), chromedp.SendKeys(`#item input[type=search]`, kb.ArrowDown+kb.Enter))
	text(t, b, "#progress", "9 / ") // the tenth was skipped
	b.Do(t, chromedp.Evaluate(`document.activeElement.blur()`, nil))
	press("u", "Taken back")
	text(t, b, "#progress", "8 / ")
	press("a", "Accepted")
	text(t, b, "#progress", "9 / ")
	b.Do(t, chromedp.Click("#showlog"), chromedp.WaitVisible("caption"))
	text(t, b, "table", "odd sentence")
}

// trainingPart exports what was accepted and imports it as a corpus, as a config's [[corpus]] of format jsonl does.
func trainingPart(t *testing.T, b *Tab, bin, downloads string) {
	b.Do(t, chromedp.Click("#exporttraining"))
	file := filepath.Join(downloads, "reviewed.jsonl")
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if st, err := os.Stat(file); err == nil && st.Size() > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing was downloaded")
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(raw), `"reviewers":["ana"]`) {
		t.Fatalf("no provenance: %v %.300s", err, raw)
	}
	out := filepath.Join(t.TempDir(), "reviewed")
	if b, err := exec.Command(bin, "import", "corpus", "--format", "jsonl", "--out", out, file).CombinedOutput(); err != nil {
		t.Fatalf("import: %v\n%s", err, b)
	}
	j, err := exec.Command(bin, "inspect", "--json", out).Output()
	var got struct{ Counts map[string]int }
	if err == nil {
		err = json.Unmarshal(j, &got)
	}
	if err != nil || got.Counts["documents"] < 6 || got.Counts["mentions train"] != got.Counts["documents"] {
		t.Errorf("the training set: %v %s", err, j)
	}
}
