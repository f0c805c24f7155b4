package prediction

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"syncabel/internal/artifact"
	"syncabel/internal/text"
)

// FileName is the predictions inside their run folder: one mention a line.
const FileName = "predictions.jsonl"

// maxLine bounds one prediction of a file.
const maxLine = 16 << 20

// WriteFile writes predictions to path atomically, one a line.
func WriteFile(path string, preds []Prediction) error {
	return artifact.WriteWith(path, func(w io.Writer) error { return Write(w, preds) })
}

// Write writes predictions, one a line.
func Write(w io.Writer, preds []Prediction) error {
	b := bufio.NewWriterSize(w, 1<<18)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for i := range preds {
		if err := enc.Encode(&preds[i]); err != nil {
			return err
		}
	}
	return b.Flush()
}

// ReadFile reads what WriteFile wrote.
func ReadFile(path string) ([]Prediction, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading predictions: %w", err)
	}
	defer f.Close()
	return Read(f, path)
}

// Read reads predictions, one JSON object a line.
func Read(r io.Reader, name string) ([]Prediction, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 1<<16), maxLine)
	var out []Prediction
	line := 1
	for ; sc.Scan(); line++ {
		if len(sc.Bytes()) == 0 {
			continue
		}
		var p Prediction
		if err := json.Unmarshal(sc.Bytes(), &p); err != nil {
			return nil, &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
		}
		if p.Mention == "" && p.Document == "" && p.Text == "" {
			return nil, &text.SyntaxError{File: name, Line: line, Msg: "no prediction: document, mention and text are all missing"}
		}
		out = append(out, p)
	}
	if err := sc.Err(); err != nil {
		return nil, &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
	}
	return out, nil
}
