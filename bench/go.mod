module github.com/zoompic/zoompic/bench

go 1.26.0

require (
	github.com/go-resty/resty/v2 v2.17.2
	github.com/zoompic/zoompic v0.0.0
	golang.org/x/time v0.16.0
	resty.dev/v3 v3.0.0-rc.4
)

require (
	github.com/apapsch/go-jsonmerge/v2 v2.0.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/oapi-codegen/runtime v1.8.0 // indirect
	golang.org/x/net v0.59.0 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
)

replace github.com/zoompic/zoompic => ../
