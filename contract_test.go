package zoompic_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/zoompic/zoompic"
	"github.com/zoompic/zoompic/api"
	"github.com/zoompic/zoompic/internal/contract"
)

func TestContractIsValid(t *testing.T) {
	t.Parallel()
	c := contract.Load(t) // examples of bodies and parameters included
	if c.Doc.OpenAPI != "3.0.3" {
		t.Errorf("OpenAPI %s, want 3.0.3", c.Doc.OpenAPI)
	}
	for _, problem := range lint(c.Doc) {
		t.Error(problem)
	}
}

// Each rule of lint must find the fault that it is there for.
func TestLintFindsFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, old, new, want string }{
		{"body without example", "examples:\n                badGateway:", "x-none:\n                badGateway:", "status 5XX: text/html has no example"},
		{"header without example", "example: Medium\n", "x-none: Medium\n", "status 429: header X-RateLimit-Category has no example"},
		{"header's example of another type", "example: 20\n", "example: twenty\n", "status 429: header X-RateLimit-Limit: example"},
		{"undeclared scope", `"user:write": Change`, `"user:read": Change`, "scope user:write is not declared"},
		{"code without name", "- MissingScope\n", "", "8 codes, 7 names"},
		{"code without meaning", "        - `4711` MissingScope: the app lacks a scope\n", "", "code 4711 MissingScope has no line"},
		{"code at no status", "            - `1010`: the user belongs to another account\n", "", "no status's description names code 1010"},
		{"status names an unknown code", "- `1010`: the user", "- `1011`: the user", "status 400: code 1011 is not in ErrorCode"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			changed := bytes.Replace(zoompic.OpenAPI, []byte(test.old), []byte(test.new), 1)
			if bytes.Equal(changed, zoompic.OpenAPI) {
				t.Fatalf("the contract has no %q to change", test.old)
			}
			c, err := contract.Parse(changed)
			if err != nil {
				t.Fatal(err)
			}
			problems := lint(c.Doc)
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, test.want) }) {
				t.Errorf("got %q, want %q among them", problems, test.want)
			}
		})
	}
}

// The generated constants are the contract's codes.
func TestGeneratedCodes(t *testing.T) {
	t.Parallel()
	codes := errorCodes(contract.Load(t).Doc)
	want := map[string]api.ErrorCode{
		"InvalidFile":      api.ErrorCodeInvalidFile,
		"InvalidToken":     api.ErrorCodeInvalidToken,
		"NotPermitted":     api.ErrorCodeNotPermitted,
		"RejectedContent":  api.ErrorCodeRejectedContent,
		"RateLimited":      api.ErrorCodeRateLimited,
		"UserNotFound":     api.ErrorCodeUserNotFound,
		"UserNotInAccount": api.ErrorCodeUserNotInAccount,
		"MissingScope":     api.ErrorCodeMissingScope,
	}
	if !maps.Equal(codes, want) {
		t.Errorf("the contract has %v, the generated code %v", codes, want)
	}
}

// lint names what kin-openapi's validation leaves unsaid.
func lint(doc *openapi3.T) []string {
	var problems []string
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	codes := errorCodes(doc)
	schema := doc.Components.Schemas["ErrorCode"].Value
	if len(schema.Enum) != len(codes) {
		report("ErrorCode: %d codes, %d names", len(schema.Enum), len(codes))
	}
	for name, code := range codes {
		if !strings.Contains(schema.Description, fmt.Sprintf("- `%d` %s: ", code, name)) {
			report("ErrorCode: code %d %s has no line in the description", code, name)
		}
	}

	unnamed := maps.Clone(codes)
	for _, operation := range operations(doc) {
		for status, response := range operation.Responses.Map() {
			for name, header := range response.Value.Headers {
				switch example := header.Value.Example; {
				case example == nil:
					report("status %s: header %s has no example", status, name)
				default:
					if err := header.Value.Schema.Value.VisitJSON(example); err != nil {
						report("status %s: header %s: example: %v", status, name, err)
					}
				}
			}
			for mediaType, content := range response.Value.Content {
				if len(content.Examples) == 0 {
					report("status %s: %s has no example", status, mediaType)
				}
			}
			for _, code := range codesIn(*response.Value.Description) {
				if !slices.Contains(slices.Collect(maps.Values(codes)), code) {
					report("status %s: code %d is not in ErrorCode", status, code)
				}
				maps.DeleteFunc(unnamed, func(_ string, c api.ErrorCode) bool { return c == code })
			}
		}
		for _, requirement := range *operation.Security {
			for scheme, scopes := range requirement {
				declared := doc.Components.SecuritySchemes[scheme].Value.Flows.AuthorizationCode.Scopes
				for _, scope := range scopes {
					if _, ok := declared[scope]; !ok {
						report("scope %s is not declared", scope)
					}
				}
			}
		}
	}
	for _, code := range unnamed {
		report("no status's description names code %d", code)
	}
	return problems
}

func operations(doc *openapi3.T) []*openapi3.Operation {
	var all []*openapi3.Operation
	for _, item := range doc.Paths.Map() {
		all = slices.AppendSeq(all, maps.Values(item.Operations()))
	}
	return all
}

// errorCodes is the contract's list of codes by name.
func errorCodes(doc *openapi3.T) map[string]api.ErrorCode {
	schema := doc.Components.Schemas["ErrorCode"].Value
	names, _ := schema.Extensions["x-enum-varnames"].([]any)
	codes := make(map[string]api.ErrorCode)
	for i := range min(len(names), len(schema.Enum)) {
		codes[fmt.Sprint(names[i])] = api.ErrorCode(schema.Enum[i].(float64))
	}
	return codes
}

// codesIn lists the codes that a response's description gives, one a line: "- `300`: what it means".
func codesIn(description string) []api.ErrorCode {
	var codes []api.ErrorCode
	for line := range strings.Lines(description) {
		var code api.ErrorCode
		if n, _ := fmt.Sscanf(line, "- `%d`:", &code); n == 1 {
			codes = append(codes, code)
		}
	}
	return codes
}
