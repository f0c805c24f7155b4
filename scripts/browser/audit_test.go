package browser

import (
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// auditPart posts a blind sheet and judges it by keyboard: two keys a row, the first of them taken back once.
func auditPart(t *testing.T, b *Tab) {
	const post = `fetch("/api/v1/review/audit", { method: "POST", headers: { "Content-Type": "text/csv" }, body:
		"id,sentence,mention,concept_a,concept_b,verdict_a,verdict_b,comment\n" +
		"k1,She has taken [warfarin] since May.,warfarin,\"Anticoagulant (drug class); definition: prevents clots\",Warfarin (drug); also: coumadin,,,\n" +
		"k2,A [<b>heel</b>] ulcer.,<b>heel</b>,Heel (body part),Toe (body part),,,\n" }).then(r => r.text())`
	var got string
	b.Do(t, chromedp.Evaluate(post, &got, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
		chromedp.SetValue("#queue", "audit"), chromedp.Evaluate(`document.getElementById("queue").dispatchEvent(new Event("change"))`, nil), chromedp.WaitVisible("#sentence mark"),
		chromedp.Evaluate(`document.activeElement.blur()`, nil))
	text(t, b, "#progress", "0 / 2")
	text(t, b, "[aria-current=step]", "Anticoagulant")
	b.Do(t, chromedp.KeyEvent("1"))
	text(t, b, "[aria-current=step]", "Warfarin")
	picture(t, b, "serve-audit")
	b.Do(t, chromedp.KeyEvent("u")) // the first verdict was wrong
	text(t, b, "[aria-current=step]", "Anticoagulant")
	b.Do(t, chromedp.KeyEvent("2"), chromedp.KeyEvent("a"), chromedp.KeyEvent("1")) // a means nothing here
	text(t, b, "#status", "BROAD/EXACT")
	text(t, b, "#sentence", "<b>heel</b>")
	text(t, b, "#progress", "1 / 2")
	b.Do(t, chromedp.KeyEvent("s"))
	text(t, b, "#status", "Skipped")
	b.Do(t, chromedp.KeyEvent("u"))
	text(t, b, "#sentence", "<b>heel</b>")
	b.Do(t, chromedp.Evaluate(`fetch("/api/v1/review/audit?reviewer=ana").then(r => r.text())`, &got, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	const want = "id,sentence,mention,concept_a,concept_b,verdict_a,verdict_b,comment\n" +
		"k1,She has taken [warfarin] since May.,warfarin,Anticoagulant (drug class); definition: prevents clots,Warfarin (drug); also: coumadin,BROAD,EXACT,\n" +
		"k2,A [<b>heel</b>] ulcer.,<b>heel</b>,Heel (body part),Toe (body part),,,\n"
	if got != want {
		t.Errorf("the sheet came back as\n%s", got)
	}
}
