package brat

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
)

const (
	txt = "Émile a la goutte et des sujets très jeunes.\n"
	ann = "T1\tDISO 11 17\tgoutte\n#1\tAnnotatorNotes T1\tC0018099 C0000002\nT2\tLIVB 25 31;37 43\tsujets jeunes\nN1\tReference T2 UMLS:C0238598\tadulte\n" +
		"A1\tNegation T1\nA2\tCertainty T2 low\nT3\tDISO 0 3\twrong\nR1\tRel Arg1:T1 Arg2:T2\n"
)

func folder(txt, ann string) fstest.MapFS {
	return fstest.MapFS{"a/1.txt": &fstest.MapFile{Data: []byte(txt)}, "a/1.ann": &fstest.MapFile{Data: []byte(ann)}}
}

func TestReadWrite(t *testing.T) {
	docs, warnings, err := Read(folder(txt, ann), corpus.ReadOptions{Language: "fr"})
	if err != nil || len(docs) != 1 || len(warnings) != 2 || warnings[0].Line != 7 {
		t.Fatal(docs, warnings, err)
	}
	m := docs[0].Mentions
	if len(m) != 2 || m[0].Text != "goutte" || len(m[0].Gold[0]) != 2 || m[1].Text != "sujets jeunes" || m[1].Gold[0][0] != "C0238598" {
		t.Fatalf("%+v", m)
	}
	docs[0].Mentions[0].Type = "A & B"
	docs[0].Mentions[1].Gold = []corpus.Answer{{"C1", "C2"}, {"X"}}
	files := fstest.MapFS{}
	lost, err := Files(docs, corpus.WriteOptions{}, func(name, content string) error {
		files[name] = &fstest.MapFile{Data: []byte(content)}
		return nil
	})
	if err != nil || len(lost) > 0 {
		t.Fatal(lost, err)
	}
	again, warnings, err := Read(files, corpus.ReadOptions{Language: "fr"})
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	if diff := cmp.Diff(docs, again); diff != "" {
		t.Error(diff, string(files["1.ann"].Data))
	}
	var b bytes.Buffer
	if _, err := Write(&b, docs, corpus.WriteOptions{}); err != nil || b.Len() == 0 {
		t.Error(err)
	}
}

func TestMissing(t *testing.T) {
	if _, _, err := Read(fstest.MapFS{}, corpus.ReadOptions{}); err == nil || !strings.Contains(err.Error(), ".ann") {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(txt, ann)
	f.Fuzz(func(t *testing.T, txt, ann string) {
		docs, _, err := Read(folder(txt, ann), corpus.ReadOptions{})
		if err != nil {
			return
		}
		if err := docs[0].Check(); err != nil {
			t.Fatal(err)
		}
		if _, err := Files(docs, corpus.WriteOptions{}, func(string, string) error { return nil }); err != nil {
			t.Fatal(err)
		}
	})
}
