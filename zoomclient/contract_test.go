package zoomclient

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zoompic/zoompic/internal/contract"
)

// TestCodesAreTheContracts compares the Code constants with the contract's enum, names and numbers, both ways.
func TestCodesAreTheContracts(t *testing.T) {
	schema := contract.Load(t).Doc.Components.Schemas["ErrorCode"].Value
	names := schema.Extensions["x-enum-varnames"].([]any)
	want := map[string]int{}
	for i, value := range schema.Enum {
		want["Code"+names[i].(string)] = int(value.(float64))
	}
	got := codeConstants(t)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %d here and %d in the contract", name, got[name], value)
		}
	}
	for name, value := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s = %d is not in the contract", name, value)
		}
		if Code(value).meaning() == "" || Code(value).advice() == "" {
			t.Errorf("%s says nothing", name)
		}
	}
}

// codeConstants reads the exported constants of type Code from the source.
func codeConstants(t *testing.T) map[string]int {
	file, err := parser.ParseFile(token.NewFileSet(), "code.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !spec.Names[0].IsExported() {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Code" {
			found[spec.Names[0].Name], err = strconv.Atoi(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Error(err)
			}
		}
		return true
	})
	return found
}

// TestDependencies pins what a user's program links besides the standard library.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if and (not .Standard) .Module}}{{.Module.Path}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	var modules []string
	for line := range bytes.Lines(out) {
		modules = append(modules, strings.TrimSpace(string(line)))
	}
	slices.Sort(modules)
	want := []string{
		"github.com/apapsch/go-jsonmerge/v2", // of oapi-codegen/runtime
		"github.com/google/uuid",             // of oapi-codegen/runtime
		"github.com/oapi-codegen/runtime",
		"github.com/zoompic/zoompic",
		"golang.org/x/oauth2",
		"golang.org/x/time",
	}
	if got := slices.DeleteFunc(slices.Compact(modules), func(s string) bool { return s == "" }); !slices.Equal(got, want) {
		t.Errorf("linked modules:\n%v\nwant:\n%v", got, want)
	}
}
