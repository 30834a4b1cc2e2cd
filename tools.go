//go:build tools

package zoompic

// The programs that "go generate" and "make check" run, pinned in go.mod by these imports.
import (
	_ "github.com/getkin/kin-openapi/cmd/validate"
	_ "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen"
)
