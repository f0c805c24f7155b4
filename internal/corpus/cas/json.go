package cas

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// ReadJSON reads one CAS in JSON (uima-uimaj-io-jsoncas 0.4): feature structures as a list, or as an object by their IDs.
func ReadJSON(r io.Reader, file string, opt corpus.ReadOptions) (corpus.Document, []text.Warning, error) {
	var c struct {
		Structures json.RawMessage `json:"%FEATURE_STRUCTURES"`
	}
	in := bufio.NewReader(io.LimitReader(r, maxFile))
	corpus.FirstByte(in)
	err := json.NewDecoder(in).Decode(&c)
	var list []map[string]any
	if err == nil {
		list, err = structures(c.Structures)
	}
	if err != nil {
		return corpus.Document{}, nil, &text.SyntaxError{File: file, Msg: "no JSON CAS: " + err.Error()}
	}
	all := make([]structure, 0, len(list))
	for _, o := range list {
		all = append(all, structureOfJSON(o))
	}
	return build(all, file, opt)
}

func structures(raw json.RawMessage) ([]map[string]any, error) {
	if len(raw) == 0 {
		return nil, fmt.Errorf("no key %q", "%FEATURE_STRUCTURES")
	}
	var list []map[string]any
	decode := func(v any) error {
		dec := json.NewDecoder(strings.NewReader(string(raw)))
		dec.UseNumber()
		return dec.Decode(v)
	}
	if raw[0] == '[' {
		return list, decode(&list)
	}
	byID := map[string]map[string]any{}
	if err := decode(&byID); err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		list = append(list, byID[id])
	}
	return list, nil
}

// structureOfJSON keeps the type and the features of text and number; references (@) and lists are left out. Anchors may be
// marked (^begin).
func structureOfJSON(o map[string]any) structure {
	s := structure{features: map[string]string{}}
	s.typ, _ = o["%TYPE"].(string)
	for k, v := range o {
		if strings.HasPrefix(k, "%") || strings.HasPrefix(k, "@") {
			continue
		}
		switch v := v.(type) {
		case string:
			s.features[strings.TrimPrefix(k, "^")] = v
		case json.Number, bool:
			s.features[strings.TrimPrefix(k, "^")] = fmt.Sprint(v)
		}
	}
	return s
}

// WriteJSON writes one document as a JSON CAS with the types it uses.
func WriteJSON(w io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	if err := one(docs); err != nil {
		return nil, err
	}
	d := &docs[0]
	lost := corpus.Losses{}
	types := map[string]map[string]any{}
	for _, t := range written() {
		types[t.name] = map[string]any{"%NAME": t.name, "%SUPER_TYPE": t.super}
		for _, f := range t.features {
			types[t.name][f.name] = map[string]string{"%NAME": f.name, "%RANGE": f.rng}
		}
	}
	list := []map[string]any{{"%ID": 1, "%TYPE": typeSofa, "sofaNum": 1, "sofaID": "_InitialView", "mimeType": "text", "sofaString": d.Text}}
	members := []int{}
	for i, s := range append([]structure{metaData(d)}, entities(d, opt, lost)...) {
		o := map[string]any{"%ID": i + 2, "%TYPE": s.typ, "@sofa": 1}
		for k, v := range s.features {
			o[k] = v
		}
		for _, k := range []string{"begin", "end"} {
			o[k], _ = strconv.Atoi(s.features[k]) // written by entities
		}
		list = append(list, o)
		members = append(members, i+2)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return lost.Warnings("CAS"), enc.Encode(map[string]any{"%TYPES": types, "%FEATURE_STRUCTURES": list,
		"%VIEWS": map[string]any{"_InitialView": map[string]any{"%SOFA": 1, "%MEMBERS": members}}})
}
