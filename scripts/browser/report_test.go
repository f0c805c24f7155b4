package browser

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// reports are the pages to look at: the goldens of package report, and those that SYNCABEL_PAGES names.
func reports(t *testing.T) []string {
	t.Helper()
	out, err := filepath.Glob("../../internal/report/testdata/*.html")
	if err != nil || len(out) == 0 {
		t.Fatal("no golden page", err)
	}
	return append(out, filepath.SplitList(os.Getenv("SYNCABEL_PAGES"))...)
}

// TestReports: in light and dark, wide and on a phone, a page makes no error, asks nobody, shows its plots and does not push its
// content out of sight.
func TestReports(t *testing.T) {
	for _, path := range reports(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b := Open(t)
			abs, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, theme := range []string{"light", "dark"} {
				var background, ink string
				var plots, overflow float64
				b.Do(t, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}),
					chromedp.EmulateViewport(1200, 900), chromedp.Navigate("file://"+abs),
					chromedp.Evaluate(`getComputedStyle(document.body).backgroundColor`, &background), chromedp.Evaluate(`getComputedStyle(document.body).color`, &ink),
					chromedp.Evaluate(`[...document.querySelectorAll("svg.plot")].filter(s => s.getBoundingClientRect().width > 200 && s.querySelector("polyline")).length`, &plots),
					chromedp.EmulateViewport(390, 800),
					chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &overflow))
				if dark := theme == "dark"; dark == (background == "rgb(255, 255, 255)") || background == ink {
					t.Errorf("%s: ink %s on %s", theme, ink, background)
				}
				if plots < 2 {
					t.Errorf("%s: %v plots are visible", theme, plots)
				}
				if overflow > 1 {
					t.Errorf("%s: on a phone the page is %v pixels too wide", theme, overflow)
				}
			}
			if f := b.Faults(); len(f) > 0 {
				t.Errorf("the browser complains: %q", f)
			}
			if o := b.Outside("file://" + abs); len(o) > 0 {
				t.Errorf("the page asks for %q", o)
			}
		})
	}
}

// Width and height of A4 in inches, as the protocol wants them, and in points, as PDF has them.
const (
	a4Width, a4Height   = 8.27, 11.69
	a4Points, a4PointsH = 595, 842
)

// TestReportsPrint: a page prints on A4, black on white also for readers in the dark, in a few pages, with nothing cut off at the right.
func TestReportsPrint(t *testing.T) {
	for _, path := range reports(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b := Open(t)
			abs, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			var pdf []byte
			var background string
			var overflow float64
			b.Do(t, emulation.SetEmulatedMedia().WithMedia("print").WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}),
				chromedp.EmulateViewport(688, 1000), // A4 less its margins, at 96 pixels an inch
				chromedp.Navigate("file://"+abs),
				chromedp.Evaluate(`getComputedStyle(document.body).backgroundColor`, &background),
				chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &overflow),
				chromedp.ActionFunc(func(ctx context.Context) (err error) {
					pdf, _, err = page.PrintToPDF().WithPreferCSSPageSize(true).WithPrintBackground(true).WithPaperWidth(a4Width).WithPaperHeight(a4Height).Do(ctx)
					return err
				}))
			if background != "rgb(255, 255, 255)" || overflow > 1 {
				t.Errorf("in print: background %s, %v pixels too wide", background, overflow)
			}
			boxes := regexp.MustCompile(`/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]`).FindAllSubmatch(pdf, -1)
			pages := bytes.Count(pdf, []byte("/Type /Page\n")) + bytes.Count(pdf, []byte("/Type /Page\r"))
			if len(boxes) == 0 || pages > 40 {
				t.Fatalf("%d boxes, %d pages in %d bytes", len(boxes), pages, len(pdf))
			}
			for _, m := range boxes {
				w, _ := strconv.ParseFloat(string(m[1]), 64)
				h, _ := strconv.ParseFloat(string(m[2]), 64)
				if w < a4Points-1 || w > a4Points+1 || h < a4PointsH-1 || h > a4PointsH+1 {
					t.Errorf("a page of %v x %v points is no A4", w, h)
				}
			}
			if dir := os.Getenv("SYNCABEL_PRINTS"); dir != "" {
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(filepath.Dir(abs))+"."+filepath.Base(abs)+".pdf"), pdf, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
