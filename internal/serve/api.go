package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"syncabel/internal/oracle/remote"
	"syncabel/internal/review"
)

// apiConfig is the head of the OpenAPI document. There is no page for it: the usual ones load scripts from elsewhere.
func apiConfig(opt *Options) huma.Config {
	c := huma.DefaultConfig("syncabel", opt.Program)
	c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", nil
	c.Info.Description = "Links mentions in biomedical text to the concepts of a knowledge base, and takes review decisions."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Formats = map[string]huma.Format{"application/json": {Marshal: encode, Unmarshal: json.Unmarshal}, "json": {Marshal: encode, Unmarshal: json.Unmarshal}}
	c.Servers = []*huma.Server{{URL: "/"}}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"key": {Type: "http", Scheme: "bearer", Description: "Needed where the server was started with keys."}}
	for _, t := range [][2]string{{"link", "Link mentions"}, {"concepts", "Look at the knowledge base"}, {"review", "Review sentences and links"}, {"runs", "Runs and their figures"},
		{"compatible", "Endpoints that other tools speak"}, {"health", "For machines that watch the server"}} {
		c.Tags = append(c.Tags, &huma.Tag{Name: t[0], Description: t[1]})
	}
	return c
}

// encode writes JSON as the rest of the program does: < and > stay, a page inserts them as text.
func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// operation describes one endpoint. Everything but the server's health needs a key where there are keys.
func operation(method, path, id, summary, tag string) huma.Operation {
	op := huma.Operation{Method: method, Path: path, OperationID: id, Summary: summary, Tags: []string{tag}, MaxBodyBytes: -1, BodyReadTimeout: -1,
		Security: []map[string][]string{{"key": {}}, {}}, Errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable}}
	if method != http.MethodGet {
		op.Errors = append(op.Errors, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests)
	}
	return op
}

// describe documents a route that is served without huma, whose answer is plain text.
func (s *Server) describe(method, path, id, summary, tag, contentType string) *huma.Operation {
	op := operation(method, path, id, summary, tag)
	problem := func(what string) *huma.Response {
		return &huma.Response{Description: what, Content: map[string]*huma.MediaType{"application/problem+json": {Schema: s.problem()}}}
	}
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString}}}},
		"401": problem("Unauthorized"), "default": problem("Error")}
	s.api.OpenAPI().AddOperation(&op)
	return &op
}

func (s *Server) problem() *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[huma.ErrorModel](), true, "Error")
}

// problemOf turns an error of the rooms below into an answer.
func problemOf(err error) error {
	var status huma.StatusError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &status):
		return err
	case errors.Is(err, errBusy):
		return huma.ErrorWithHeaders(huma.Error429TooManyRequests(err.Error()), http.Header{"Retry-After": {"1"}})
	case errors.Is(err, errDraining):
		return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable(err.Error()), http.Header{"Retry-After": {"5"}})
	case errors.Is(err, remote.ErrUnavailable):
		return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable("the engine that holds the model does not answer"), http.Header{"Retry-After": {"5"}})
	case errors.Is(err, context.DeadlineExceeded):
		return huma.Error503ServiceUnavailable("the answer took longer than a request may take: send less text at a time")
	case errors.Is(err, context.Canceled):
		return huma.NewError(499, "the client went away")
	case errors.Is(err, review.ErrNoItem), errors.Is(err, review.ErrNothing):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, review.ErrInvalid):
		return huma.Error422UnprocessableEntity(strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return huma.Error500InternalServerError("internal error", err)
}
