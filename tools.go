//go:build tools

// Package zoompic's build tools, pinned in go.mod by these imports.
package zoompic

import (
	_ "github.com/getkin/kin-openapi/cmd/validate"
	_ "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen"
)
