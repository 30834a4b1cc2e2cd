// Package zoompic holds the contract that the client, the fake and the tests of this module are held to.
//
// The library is package zoomclient; the command is cmd/zoompic.
package zoompic

import _ "embed"

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen -config api/config.yaml openapi.yaml

// OpenAPI is the contract, openapi.yaml: an OpenAPI 3.0.3 document in YAML. It must not be changed.
//
//go:embed openapi.yaml
var OpenAPI []byte
