package zoompic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/zoompic/zoompic"
	"github.com/zoompic/zoompic/internal/contract"
)

// The contract is the Postman item plus the additions, no more and no less. Both are taken apart into elements, named facts
// such as "method" = "POST", and the two lists must agree both ways.
func TestTranscription(t *testing.T) {
	t.Parallel()
	for _, difference := range compare(readItem(t), contract.Load(t).Doc) {
		t.Error(difference)
	}
}

// Where the sources of the additions are.
const (
	spec    = "Zoom's own OpenAPI file for the Users API (2025)"
	docs    = "Zoom's developer documentation"
	forum   = "Zoom's developer forum"
	chilkat = "Chilkat's sample of the same operation"
	curl    = "curl's sample of the same operation"
	zoomNet = "seen by the authors of the ZoomNet client"
	ours    = "chosen here"
	implied = "implied by the item"
)

// additions is what the contract has beyond the item, and where it is from.
var additions = []struct{ name, value, source string }{
	{"server", "https://api.zoom.us/v2", chilkat + " and " + curl},
	{"server", "https://api.zoomgov.com/v2", docs},
	{"operation ID", "uploadUserPicture", ours},
	{"path variable userId schema", `{"type":"string"}`, implied},
	{"form field pic_file type", "image/jpeg", implied},
	{"form field pic_file type", "image/png", implied},
	{"form field pic_file type", "application/octet-stream", chilkat},
	{"form", "no other field", spec},
	{"security flow", "authorizationCode", docs},
	{"security authorization URL", "https://zoom.us/oauth/authorize", docs},
	{"security token URL", "https://zoom.us/oauth/token", docs},
	{"security refresh URL", "https://zoom.us/oauth/token", docs},
	{"scope", "user:write:profile_picture:admin", spec},
	{"scope", "user:write:profile_picture", spec},

	{"status 201 header x-zm-trackingid", "Names the request for Zoom's support", forum},
	{"status 201 type", "application/json", spec},
	{"status 201 schema application/json", `{"$ref":"#/components/schemas/Empty"}`, spec},
	{"status 201 schema text/plain", `{"type":"string"}`, implied},
	{"status 201 example application/json", "{}", spec},

	{"status 400 header x-zm-trackingid", "Names the request for Zoom's support", forum},
	{"status 400 type", "application/json", docs},
	{"status 400 schema application/json", `{"$ref":"#/components/schemas/Error"}`, docs},
	{"status 400 schema text/plain", `{"$ref":"#/components/schemas/ErrorText"}`, implied},
	{"status 400 code 120", "File is empty.", spec},
	{"status 400 code 120", "File size cannot exceed 2M.", spec},
	{"status 400 code 120", "Only jpg/jpeg or png image file can be uploaded.", spec},
	{"status 400 code 120", "", zoomNet},
	{"status 400 code 124", "Access token is expired.", spec},
	{"status 400 code 200", "Invalid api key or secret.", forum},
	{"status 400 code 1010", "User not found on this account", forum},
	{"status 400 code 4711", `Invalid access token, does not contain scopes:["user:write:profile_picture:admin"].`, forum},
	{"status 400 code 4711", "Invalid access token, does not contain scopes:[user:write:profile_picture:admin].", forum},

	{"status 401", "Unauthorized", forum},
	{"status 401 meaning", "The access token was refused.", forum},
	{"status 401 header x-zm-trackingid", "Names the request for Zoom's support", forum},
	{"status 401 type", "application/json", forum},
	{"status 401 type", "text/plain", "as at the item's statuses"},
	{"status 401 schema application/json", `{"$ref":"#/components/schemas/Error"}`, docs},
	{"status 401 schema text/plain", `{"$ref":"#/components/schemas/ErrorText"}`, "as at the item's statuses"},
	{"status 401 code 124", "Access token is expired.", forum},
	{"status 401 code 124", "Invalid access token.", forum},

	{"status 404 header x-zm-trackingid", "Names the request for Zoom's support", forum},
	{"status 404 type", "application/json", docs},
	{"status 404 schema application/json", `{"$ref":"#/components/schemas/Error"}`, docs},
	{"status 404 schema text/plain", `{"$ref":"#/components/schemas/ErrorText"}`, implied},

	{"status 429", "Too Many Requests", docs},
	{"status 429 meaning", "A rate limit of the account was reached. One that is counted by the day ends at 00:00 UTC.", docs},
	{"status 429 header x-zm-trackingid", "Names the request for Zoom's support", forum},
	{"status 429 header Retry-After", "When to go on, as an ISO 8601 time. Sent with the limit by the day; the limit by the second usually has none.", docs},
	{"status 429 header X-RateLimit-Category", "The rate limit label whose limit was reached", docs},
	{"status 429 header X-RateLimit-Type", "Whether the limit is counted by the second or by the day", docs},
	{"status 429 header X-RateLimit-Type schema", `{"enum":["QPS","Daily-limit"],"type":"string"}`, docs},
	{"status 429 header X-RateLimit-Limit", "Requests that the limit allows in its period", docs},
	{"status 429 header X-RateLimit-Limit schema", `{"type":"integer"}`, docs},
	{"status 429 header X-RateLimit-Remaining", "Requests that are left in the period", docs},
	{"status 429 header X-RateLimit-Remaining schema", `{"type":"integer"}`, docs},
	{"status 429 type", "application/json", docs},
	{"status 429 type", "text/plain", "as at the item's statuses"},
	{"status 429 schema application/json", `{"$ref":"#/components/schemas/Error"}`, docs},
	{"status 429 schema text/plain", `{"$ref":"#/components/schemas/ErrorText"}`, "as at the item's statuses"},
	{"status 429 code 429", "You have reached the maximum per-second rate limit for this API. Try again later.", forum},
	{"status 429 code 429", "You have reached the maximum daily rate limit for this API.", docs},

	{"status 5XX", "", forum},
	{"status 5XX meaning", "Zoom, or the network in front of it, could not serve the request. It may succeed later.", forum},
	{"status 5XX header x-zm-trackingid", "Names the request for Zoom's support", forum},
	{"status 5XX type", "text/html", forum},
	{"status 5XX schema text/html", `{"type":"string"}`, forum},
	{"status 5XX example text/html", "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>", ours},

	{"schema Empty", `{"type":"object"}`, spec},
	{"schema Error", `{"properties":{"code":{"$ref":"#/components/schemas/ErrorCode"},"errors":{"items":{"$ref":"#/components/schemas/FieldError"},"type":"array"},"message":{"type":"string"}},"required":["code","message"],"type":"object"}`, docs},
	{"schema ErrorCode", `{"enum":[120,124,200,300,429,1001,1010,4711],"type":"integer"}`, "the item's codes and those above"},
	{"schema ErrorText", `{"type":"string"}`, implied},
	{"schema FieldError", `{"properties":{"field":{"type":"string"},"message":{"type":"string"}},"type":"object"}`, docs},
}

// inOurWords pairs a text of the item with what the contract says instead: prose in our own words, a message that the item cuts
// short, and an example for a placeholder.
var inOurWords = map[string]string{
	"Upload a user's profile picture. For user-level apps, pass [the `me` value](https://marketplace.zoom.us/docs/api-reference/using-zoom-apis#mekeyword) " +
		"instead of the `userId` parameter. Provide `multipart/form-data` as the value of the `content-type` header for this request. " +
		"This API supports `.jpeg` and `.png` file formats. **Scopes:** `user:write:admin`, `user:write`<br>" +
		"**[Rate Limit Label](https://marketplace.zoom.us/docs/api-reference/rate-limits#rate-limits):** `Medium`": //
	"Sets the profile picture of a user and replaces the one there was. Formats are `.jpeg` and `.png`; a file may have up to 2 MB. " +
		"A token needs one of the scopes `user:write:admin` and `user:write` (classic apps) or `user:write:profile_picture:admin` and " +
		"`user:write:profile_picture` (granular scopes); those that end in `:admin` are for the pictures of others. The rate limit label is `Medium` " +
		"([limits by plan](https://marketplace.zoom.us/docs/api-reference/rate-limits#rate-limits)); a limit is counted per account, over all of its apps.",

	"The user ID or email address of the user. For user-level apps, pass the `me` value for this parameter.": //
	"The user ID or email address of the user, or [`me`](https://marketplace.zoom.us/docs/api-reference/using-zoom-apis#mekeyword) " +
		"for the user whose token is sent. User-level apps must use `me`.",

	"The file's path.":           "The bytes of the picture, not its path.",
	"Picture uploaded.":          "The picture has been set.",
	"Location of user's picture": "Location of the user's picture",
	"Bad request":                "The request was refused; the code says why.",
	"Not Found":                  "There is no such user.",
	"Only an account administrator can change a profile pict": "Only an account administrator can change a profile picture.",
	"User does not exist: $userId.":                           "User does not exist: ada@example.com.",
}

// inTheirWords names the elements to which inOurWords applies, "*" standing for anything.
var inTheirWords = regexp.MustCompile(`^(description|.* description|status \d+ (meaning|header .*|code \d+))$`)

type element struct{ name, value string }

// compare names every element in which item and contract differ.
func compare(item postmanItem, doc *openapi3.T) []string {
	inContract, unexplained := contractElements(doc), contractElements(doc)
	var differences []string
	for e := range itemElements(item) {
		want := e
		if ours, ok := inOurWords[e.value]; ok && inTheirWords.MatchString(e.name) {
			want.value = ours
		}
		if !inContract[want] {
			differences = append(differences, fmt.Sprintf("%s: the item has %q, the contract %q", e.name, e.value, inContract.values(e.name)))
		}
		delete(unexplained, want)
	}
	for _, addition := range additions {
		e := element{addition.name, addition.value}
		if !unexplained[e] {
			differences = append(differences, fmt.Sprintf("%s: %q is listed as an addition, but the contract lacks it or the item has it", e.name, e.value))
		}
		delete(unexplained, e)
	}
	for e := range unexplained {
		differences = append(differences, fmt.Sprintf("%s: the contract has %q, neither the item nor the additions do", e.name, e.value))
	}
	slices.Sort(differences)
	return differences
}

type elements map[element]bool

func (es elements) add(name, value string) {
	es[element{name, strings.Join(strings.Fields(value), " ")}] = true
}

func (es elements) values(name string) []string {
	var values []string
	for e := range es {
		if e.name == name {
			values = append(values, e.value)
		}
	}
	slices.Sort(values)
	return values
}

var (
	formats = regexp.MustCompile("`(\\.[a-z]+)`")
	links   = regexp.MustCompile(`\]\((https?://[^)]*)\)`)
	scopes  = regexp.MustCompile("`(user:[a-z_:]+)`")
	label   = regexp.MustCompile("Rate Limit Label\\]\\(.*?\\):\\*\\* `(\\w+)`")
)

func (es elements) addAll(name string, pattern *regexp.Regexp, text string) {
	for _, found := range pattern.FindAllStringSubmatch(text, -1) {
		es.add(name, found[1])
	}
}

// The parts of a Postman item, all of them: decoding refuses others.
type (
	postmanItem struct {
		Name     string            `json:"name"`
		Request  postmanRequest    `json:"request"`
		Response []postmanResponse `json:"response"`
	}
	postmanRequest struct {
		Method string         `json:"method"`
		Header []postmanField `json:"header"`
		Body   struct {
			Mode     string         `json:"mode"`
			FormData []postmanField `json:"formdata"`
		} `json:"body"`
		URL struct {
			Raw      string         `json:"raw"`
			Host     []string       `json:"host"`
			Path     []string       `json:"path"`
			Variable []postmanField `json:"variable"`
		} `json:"url"`
		Description string `json:"description"`
	}
	postmanResponse struct {
		Name            string         `json:"name"`
		OriginalRequest postmanRequest `json:"originalRequest"`
		Status          string         `json:"status"`
		Code            int            `json:"code"`
		PreviewLanguage string         `json:"_postman_previewlanguage"`
		Header          []postmanField `json:"header"`
		Cookie          []any          `json:"cookie"`
		Body            string         `json:"body"`
	}
	postmanField struct {
		Key         string   `json:"key"`
		Value       string   `json:"value"` // a placeholder, except for Content-Type
		Description string   `json:"description"`
		Type        string   `json:"type"`
		Src         []string `json:"src"`
	}
)

func readItem(t *testing.T) postmanItem {
	t.Helper()
	data, err := os.ReadFile("testdata/postman-item.json")
	if err != nil {
		t.Fatal(err)
	}
	item, err := parseItem(data)
	if err != nil {
		t.Fatal(err)
	}
	return item
}

func parseItem(data []byte) (postmanItem, error) {
	var item postmanItem
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&item)
	return item, err
}

// itemElements takes the item apart. What contradicts itself in it becomes an element that no contract has.
func itemElements(item postmanItem) elements {
	es := requestElements(item.Request)
	es.add("summary", item.Name)
	es.add("description", item.Request.Description)
	es.addAll("format", formats, item.Request.Description)
	es.addAll("link", links, item.Request.Description)
	es.addAll("scope", scopes, item.Request.Description)
	es.addAll("rate limit label", label, item.Request.Description)
	for _, header := range item.Request.Header {
		if header.Key == "Content-Type" {
			es.add("content type", header.Value)
			continue
		}
		es.add("request header", header.Key)
	}
	for _, response := range item.Response {
		maps.Copy(es, responseElements(response))
		maps.Copy(es, originalRequestElements(response, item.Request))
	}
	return es
}

func requestElements(request postmanRequest) elements {
	es := make(elements)
	es.add("method", request.Method)
	es.add("URL", request.URL.Raw)
	es.add("host", strings.Join(request.URL.Host, "."))
	var path strings.Builder
	for _, segment := range request.URL.Path {
		if name, ok := strings.CutPrefix(segment, ":"); ok {
			segment = "{" + name + "}"
		}
		path.WriteString("/" + segment)
	}
	es.add("path", path.String())
	for _, variable := range request.URL.Variable {
		required, description := requirement(variable.Description)
		es.add("path variable "+variable.Key, variable.Type+required)
		es.add("path variable "+variable.Key+" description", description)
	}
	es.add("body mode", request.Body.Mode)
	for _, field := range request.Body.FormData {
		required, description := requirement(field.Description)
		es.add("form field "+field.Key, field.Type+required)
		es.add("form field "+field.Key+" description", description)
		for _, src := range field.Src {
			es.add("form field "+field.Key+" source", src)
		}
	}
	return es
}

// requirement splits the mark of a required field from its description.
func requirement(description string) (required, rest string) {
	if rest, ok := strings.CutPrefix(description, "(Required)"); ok {
		return " required", rest
	}
	return "", description
}

const securityMark = "Added as a part of security scheme: "

// originalRequestElements is what the request of a recorded response adds, its security, and where it differs from the item's.
func originalRequestElements(response postmanResponse, request postmanRequest) elements {
	es := make(elements)
	prefix := fmt.Sprintf("original request of status %d: ", response.Code)
	want, got := requestElements(request), requestElements(response.OriginalRequest)
	for e := range want {
		if !got[e] {
			es.add(prefix+e.name, "not as in the request")
		}
	}
	for e := range got {
		if !want[e] {
			es.add(prefix+e.name, e.value)
		}
	}
	for _, header := range response.OriginalRequest.Header {
		es.add("security header", header.Key)
		es.add("security scheme", strings.TrimPrefix(header.Description, securityMark))
	}
	if len(response.OriginalRequest.Header) != 1 {
		es.add(prefix+"security header", "not exactly one")
	}
	if response.OriginalRequest.Description != "" {
		es.add(prefix+"description", response.OriginalRequest.Description)
	}
	return es
}

var (
	statusName = regexp.MustCompile("^HTTP Status Code: `(\\d+)` *(.*)$")
	codeName   = regexp.MustCompile("^Error Code: `(\\d+)`$")
)

func responseElements(response postmanResponse) elements {
	es := make(elements)
	status := fmt.Sprintf("status %d", response.Code)
	es.add(status, response.Status)

	code, named := "", false
	for line := range strings.SplitSeq(strings.ReplaceAll(response.Name, "**", ""), "<br>") {
		line = strings.TrimSpace(line)
		if found := statusName.FindStringSubmatch(line); found != nil {
			named = found[1] == strconv.Itoa(response.Code)
			line = found[2]
		}
		switch found := codeName.FindStringSubmatch(line); {
		case found != nil:
			code = found[1]
		case line == "":
		case code != "":
			es.add(status+" code "+code, line)
			code = ""
		default:
			es.add(status+" meaning", line)
		}
	}
	if !named {
		es.add(status+" name", response.Name)
	}
	if code != "" {
		es.add(status+" code "+code, "no message")
	}

	mediaType := ""
	for _, header := range response.Header {
		if header.Key == "Content-Type" {
			mediaType = header.Value
			es.add(status+" type", mediaType)
			continue
		}
		es.add(status+" header "+header.Key, header.Description)
	}
	es.add(status+" example "+mediaType, response.Body)
	if !strings.HasPrefix(mediaType, response.PreviewLanguage+"/") {
		es.add(status+" preview language", response.PreviewLanguage)
	}
	if len(response.Cookie) > 0 {
		es.add(status+" cookie", fmt.Sprint(response.Cookie))
	}
	return es
}

func contractElements(doc *openapi3.T) elements {
	es := make(elements)
	for _, server := range doc.Servers {
		es.add("server", server.URL)
		es.add("host", "{{baseUrl}}") // which the servers are the values of
	}
	for path, item := range doc.Paths.Map() {
		es.add("path", path)
		es.add("URL", "{{baseUrl}}"+strings.NewReplacer("{", ":", "}", "").Replace(path))
		for method, operation := range item.Operations() {
			es.add("method", method)
			maps.Copy(es, operationElements(operation))
		}
		for _, parameter := range item.Parameters {
			maps.Copy(es, parameterElements(parameter.Value))
		}
	}
	for name, scheme := range doc.Components.SecuritySchemes {
		maps.Copy(es, securityElements(name, scheme.Value))
	}
	for name, schema := range doc.Components.Schemas {
		es.add("schema "+name, shape(schema))
	}
	return es
}

func operationElements(operation *openapi3.Operation) elements {
	es := make(elements)
	es.add("operation ID", operation.OperationID)
	es.add("summary", operation.Summary)
	es.add("description", operation.Description)
	es.addAll("format", formats, operation.Description)
	es.addAll("link", links, operation.Description)
	es.add("rate limit label", fmt.Sprint(operation.Extensions["x-rate-limit-label"]))
	for _, parameter := range operation.Parameters {
		maps.Copy(es, parameterElements(parameter.Value))
	}
	for _, alternative := range *operation.Security {
		for name, scopes := range alternative {
			es.add("security scheme", name)
			es.add("scope", strings.Join(scopes, " and "))
		}
		if len(alternative) != 1 {
			es.add("security scheme", fmt.Sprintf("%d at once", len(alternative)))
		}
	}
	for mediaType, content := range operation.RequestBody.Value.Content {
		es.add("content type", mediaType)
		maps.Copy(es, formElements(content, operation.RequestBody.Value.Required))
	}
	for status, response := range operation.Responses.Map() {
		maps.Copy(es, contractResponseElements(status, response.Value))
	}
	return es
}

func parameterElements(parameter *openapi3.Parameter) elements {
	es := make(elements)
	name := parameter.In + " variable " + parameter.Name
	required := ""
	if parameter.Required {
		required = "required"
	}
	es.add(name, required)
	es.add(name+" description", parameter.Description)
	es.add(name+" schema", shape(parameter.Schema))
	es.addAll("link", links, parameter.Description)
	return es
}

func formElements(content *openapi3.MediaType, bodyRequired bool) elements {
	es := make(elements)
	schema := content.Schema.Value
	es.add("body mode", "formdata")
	if no := schema.AdditionalProperties.Has; no != nil && !*no {
		es.add("form", "no other field")
	}
	for field, property := range schema.Properties {
		name := "form field " + field
		kind := shape(property)
		if kind == `{"format":"binary","type":"string"}` {
			kind = "file"
		}
		if bodyRequired && slices.Contains(schema.Required, field) {
			kind += " required"
		}
		es.add(name, kind)
		es.add(name+" description", property.Value.Description)
	}
	for field, encoding := range content.Encoding {
		for partType := range strings.SplitSeq(encoding.ContentType, ", ") {
			es.add("form field "+field+" type", partType)
		}
	}
	return es
}

func securityElements(name string, scheme *openapi3.SecurityScheme) elements {
	es := make(elements)
	es.add("security scheme", name)
	if scheme.Type == "oauth2" {
		es.add("security header", "Authorization") // RFC 6750
	}
	flows := scheme.Flows
	for flow, f := range map[string]*openapi3.OAuthFlow{
		"authorizationCode": flows.AuthorizationCode, "clientCredentials": flows.ClientCredentials, "implicit": flows.Implicit, "password": flows.Password,
	} {
		if f == nil {
			continue
		}
		es.add("security flow", flow)
		es.add("security authorization URL", f.AuthorizationURL)
		es.add("security token URL", f.TokenURL)
		es.add("security refresh URL", f.RefreshURL)
		for scope := range f.Scopes {
			es.add("scope", scope)
		}
	}
	return es
}

func contractResponseElements(status string, response *openapi3.Response) elements {
	es := make(elements)
	code, _ := strconv.Atoi(status)
	status = "status " + status
	es.add(status, http.StatusText(code))
	meaning, _, _ := strings.Cut(*response.Description, "\n\n") // the list of codes follows
	es.add(status+" meaning", meaning)
	for name, header := range response.Headers {
		es.add(status+" header "+name, header.Value.Description)
		if s := shape(header.Value.Schema); s != `{"type":"string"}` {
			es.add(status+" header "+name+" schema", s)
		}
	}
	for mediaType, content := range response.Content {
		es.add(status+" type", mediaType)
		es.add(status+" schema "+mediaType, shape(content.Schema))
		for _, example := range content.Examples {
			if code, message, ok := errorIn(example.Value.Value); ok {
				es.add(status+" code "+code, message)
				continue
			}
			es.add(status+" example "+mediaType, text(example.Value.Value))
		}
	}
	return es
}

var errorText = regexp.MustCompile(`^\{"code":(\d+),"message":"(.*)"\}$`) // the message may be broken

// errorIn reads the error in an example, JSON or text.
func errorIn(example any) (code, message string, ok bool) {
	switch example := example.(type) {
	case map[string]any:
		if code, ok := example["code"]; ok {
			return fmt.Sprint(code), fmt.Sprint(example["message"]), true
		}
	case string:
		if found := errorText.FindStringSubmatch(example); found != nil {
			return found[1], found[2], true
		}
	}
	return "", "", false
}

func text(example any) string {
	if s, ok := example.(string); ok {
		return s
	}
	return string(must(json.Marshal(example)))
}

// shape is a schema without its prose.
func shape(schema *openapi3.SchemaRef) string {
	var tree any
	if err := json.Unmarshal(must(schema.MarshalJSON()), &tree); err != nil {
		panic(err)
	}
	return string(must(json.Marshal(withoutProse(tree))))
}

func withoutProse(tree any) any {
	switch tree := tree.(type) {
	case map[string]any:
		maps.DeleteFunc(tree, func(key string, value any) bool {
			_, isProperty := value.(map[string]any)
			return !isProperty && (key == "description" || strings.HasPrefix(key, "x-")) || key == "example"
		})
		for key, value := range tree {
			tree[key] = withoutProse(value)
		}
	case []any:
		for i, value := range tree {
			tree[i] = withoutProse(value)
		}
	}
	return tree
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Every element of the item that changes must be named.
func TestTranscriptionNamesChangedElements(t *testing.T) {
	t.Parallel()
	doc := contract.Load(t).Doc
	for _, test := range []struct {
		element string
		change  func(*postmanItem)
	}{
		{"summary", func(i *postmanItem) { i.Name = "Delete a user's profile picture" }},
		{"method", func(i *postmanItem) { i.Request.Method = "PUT" }},
		{"path", func(i *postmanItem) { i.Request.URL.Path[2] = "avatar" }},
		{"path", func(i *postmanItem) { i.Request.URL.Path = i.Request.URL.Path[:2] }},
		{"URL", func(i *postmanItem) { i.Request.URL.Raw += "?crop=1" }},
		{"host", func(i *postmanItem) { i.Request.URL.Host = []string{"zoom", "us"} }},
		{"path variable id", func(i *postmanItem) { i.Request.URL.Variable[0].Key = "id" }},
		{"path variable userId", func(i *postmanItem) { i.Request.URL.Variable = nil }},
		{"path variable userId", func(i *postmanItem) { replace(&i.Request.URL.Variable[0].Description, "(Required) ", "") }},
		{"path variable userId description", func(i *postmanItem) { replace(&i.Request.URL.Variable[0].Description, "or email address ", "") }},
		{"path variable userId description", func(i *postmanItem) { replace(&i.Request.URL.Variable[0].Description, "`me`", "`self`") }},
		{"body mode", func(i *postmanItem) { i.Request.Body.Mode = "urlencoded" }},
		{"form field picture", func(i *postmanItem) { i.Request.Body.FormData[0].Key = "picture" }},
		{"form field pic_file", func(i *postmanItem) { i.Request.Body.FormData[0].Type = "text" }},
		{"form field pic_file", func(i *postmanItem) { replace(&i.Request.Body.FormData[0].Description, "(Required) ", "") }},
		{"form field pic_file description", func(i *postmanItem) { replace(&i.Request.Body.FormData[0].Description, "path", "name") }},
		{"form field crop", func(i *postmanItem) {
			i.Request.Body.FormData = append(i.Request.Body.FormData, postmanField{Key: "crop", Type: "text"})
		}},
		{"content type", func(i *postmanItem) { i.Request.Header[0].Value = "image/png" }},
		{"request header", func(i *postmanItem) { i.Request.Header = append(i.Request.Header, postmanField{Key: "X-Crop"}) }},
		{"description", func(i *postmanItem) { i.Request.Description += " And more." }},
		{"format", func(i *postmanItem) { replace(&i.Request.Description, "`.png`", "`.webp`") }},
		{"scope", func(i *postmanItem) { replace(&i.Request.Description, "`user:write:admin`", "`user:admin`") }},
		{"rate limit label", func(i *postmanItem) { replace(&i.Request.Description, "`Medium`", "`Heavy`") }},
		{"link", func(i *postmanItem) { replace(&i.Request.Description, "#mekeyword", "") }},
		{"security header", func(i *postmanItem) { i.Response[0].OriginalRequest.Header[0].Key = "X-Token" }},
		{"security scheme", func(i *postmanItem) {
			replace(&i.Response[1].OriginalRequest.Header[0].Description, "oauth2", "apiKey")
		}},
		{"original request of status 404: security header", func(i *postmanItem) { i.Response[2].OriginalRequest.Header = nil }},
		{"original request of status 400: method", func(i *postmanItem) { i.Response[1].OriginalRequest.Method = "PUT" }},
		{"original request of status 201: path", func(i *postmanItem) { i.Response[0].OriginalRequest.URL.Path[0] = "people" }},
		{"status 202", func(i *postmanItem) { i.Response[0].Code = 202 }},
		{"status 201", func(i *postmanItem) { i.Response[0].Status = "OK" }},
		{"status 201", func(i *postmanItem) { i.Response = i.Response[1:] }},
		{"status 201 name", func(i *postmanItem) { replace(&i.Response[0].Name, "`201`", "`200`") }},
		{"status 201 meaning", func(i *postmanItem) { replace(&i.Response[0].Name, "uploaded", "queued") }},
		{"status 201 header Content-Location", func(i *postmanItem) { i.Response[0].Header = i.Response[0].Header[1:] }},
		{"status 201 header Content-Location", func(i *postmanItem) { i.Response[0].Header[0].Description = "" }},
		{"status 201 header Location", func(i *postmanItem) { i.Response[0].Header[0].Key = "Location" }},
		{"status 400 type", func(i *postmanItem) { i.Response[1].Header[0].Value = "application/xml" }},
		{"status 400 preview language", func(i *postmanItem) { i.Response[1].PreviewLanguage = "json" }},
		{"status 400 code 301", func(i *postmanItem) { replace(&i.Response[1].Name, "`300`", "`301`") }},
		{"status 400 code 300", func(i *postmanItem) { replace(&i.Response[1].Name, "explicit", "other") }},
		{"status 400 code 200", func(i *postmanItem) { replace(&i.Response[1].Name, "account administrator", "owner") }},
		{"status 404 code 1001", func(i *postmanItem) { replace(&i.Response[2].Name, "$userId", "$id") }},
		{"status 404 example text/plain", func(i *postmanItem) { i.Response[2].Body = "gone" }},
		{"status 404 cookie", func(i *postmanItem) { i.Response[2].Cookie = []any{"a=b"} }},
		{"status 403", func(i *postmanItem) { i.Response = append(i.Response, postmanResponse{Code: 403, Status: "Forbidden"}) }},
	} {
		item := readItem(t)
		test.change(&item)
		differences := compare(item, doc)
		if !slices.ContainsFunc(differences, func(d string) bool { return strings.HasPrefix(d, test.element+": ") }) {
			t.Errorf("%s was changed, but got %q", test.element, differences)
		}
	}
}

func replace(text *string, old, new string) {
	if !strings.Contains(*text, old) {
		panic("nothing to change: " + old)
	}
	*text = strings.Replace(*text, old, new, 1)
}

// Nothing in the item goes unread: whatever is changed, taken out or put in, is noticed. Only placeholders may differ.
func TestTranscriptionReadsWholeItem(t *testing.T) {
	t.Parallel()
	doc := contract.Load(t).Doc
	data, err := os.ReadFile("testdata/postman-item.json")
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	changes := 0
	everyChange("item", tree, func(where string) {
		changes++
		item, err := parseItem(must(json.Marshal(tree)))
		if err == nil && len(compare(item, doc)) == 0 {
			t.Errorf("%s: not noticed", where)
		}
	})
	if changes < 200 {
		t.Errorf("%d changes tried, want 200 or more", changes)
	}
}

var placeholders = []any{"quis officia in reprehenderit", "<token>"}

// everyChange calls try for each value of the tree that it changes, takes out or puts in, one at a time.
func everyChange(where string, tree any, try func(where string)) {
	switch tree := tree.(type) {
	case map[string]any:
		for key, value := range tree {
			if slices.Contains(placeholders, value) {
				continue
			}
			set := func(v any) { tree[key] = v }
			changeValue(where+"."+key, value, set, try)
			if list, ok := value.([]any); (!ok || len(list) > 0) && value != "" {
				delete(tree, key)
				try(where + "." + key + " taken out")
				tree[key] = value
			}
		}
		tree["unknown"] = true
		try(where + ".unknown put in")
		delete(tree, "unknown")
	case []any:
		for i, value := range tree {
			changeValue(fmt.Sprintf("%s[%d]", where, i), value, func(v any) { tree[i] = v }, try)
		}
	}
}

func changeValue(where string, value any, set func(any), try func(string)) {
	switch value := value.(type) {
	case string:
		set(value + "changed")
		try(where + " changed")
	case float64:
		set(value + 1)
		try(where + " changed")
	case []any:
		var kind any
		if len(value) > 0 {
			kind = value[0]
		}
		if _, isObject := kind.(map[string]any); !isObject {
			set(append(slices.Clone(value), "changed"))
			try(where + " longer")
		}
		for i := range value {
			set(slices.Delete(slices.Clone(value), i, i+1))
			try(fmt.Sprintf("%s[%d] taken out", where, i))
		}
	}
	set(value)
	everyChange(where, value, try)
}

// An addition to the contract that is not listed, and one that is listed but gone, must be named.
func TestTranscriptionNamesUnlistedAdditions(t *testing.T) {
	t.Parallel()
	item := readItem(t)
	for _, test := range []struct{ element, old, new string }{
		{"server", "https://api.zoomgov.com/v2", "https://api.example.com/v2"},
		{"operation ID", "uploadUserPicture", "setPicture"},
		{"path", "/users/{userId}/picture:", "/users/{userId}/avatar:"},
		{"method", "    post:\n", "    put:\n"},
		{"rate limit label", "x-rate-limit-label: Medium", "x-rate-limit-label: Light"},
		{"scope", `- oauth2: ["user:write"]`, `- oauth2: ["user:write", "user:write:admin"]`},
		{"scope", `"user:write": Change`, `"user:read": Change`},
		{"security refresh URL", "refreshUrl: https://zoom.us", "refreshUrl: https://example.com"},
		{"path variable userId schema", "          schema:\n            type: string\n", "          schema:\n            type: string\n            maxLength: 9\n"},
		{"form field pic_file", "required: [pic_file]", "required: []"},
		{"form field pic_file", "format: binary", "format: byte"},
		{"form field pic_file type", "image/png, application", "image/gif, application"},
		{"form", "additionalProperties: false", "additionalProperties: true"},
		{"content type", "multipart/form-data:", "multipart/mixed:"},
		{"status 403", `"404":`, `"403":`},
		{"status 201 header Content-Location", "Content-Location:", "Location:"},
		{"status 429 header X-RateLimit-Limit schema", "type: integer\n              example: 20", "type: number\n              example: 20"},
		{"status 201 type", "text/plain:", "text/html:"},
		{"status 400 code 300", "invalid or explicit content.}", "other content.}"},
		{"status 400 code 120", "File is empty.}", "The file is empty.}"},
		{"status 5XX", `"5XX":`, `"4XX":`},
		{"schema ErrorCode", "4711]", "4712]"},
		{"schema Error", "required: [code, message]", "required: [code]"},
		{"schema FieldError", "        field:\n          type: string", "        field:\n          type: integer"},
		{"summary", "summary: Upload", "summary: Set"},
		{"description", "a file may have", "a file must not have"},
	} {
		changed := bytes.Replace(zoompic.OpenAPI, []byte(test.old), []byte(test.new), 1)
		if bytes.Equal(changed, zoompic.OpenAPI) {
			t.Errorf("the contract has no %q to change", test.old)
			continue
		}
		doc, err := openapi3.NewLoader().LoadFromData(changed)
		if err != nil {
			t.Errorf("%s: %v", test.element, err)
			continue
		}
		differences := compare(item, doc)
		if !slices.ContainsFunc(differences, func(d string) bool { return strings.HasPrefix(d, test.element+": ") }) {
			t.Errorf("%s: %q became %q, but got %q", test.element, test.old, test.new, differences)
		}
	}
}
