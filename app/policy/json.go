package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// byteOrderMark is what some editors of Windows write first.
const byteOrderMark = "\xef\xbb\xbf"

// parseJSON reads a policy in JSON (RFC 8259).
func parseJSON(name string, text []byte) (document, error) {
	// A mark is replaced by space, so that all offsets stay those of the file.
	if rest, marked := bytes.CutPrefix(text, []byte(byteOrderMark)); marked {
		text = append([]byte("   "), rest...)
	}
	d := document{name: name, text: text}
	if !utf8.Valid(text) {
		return d, d.fault(0, "this is not UTF-8 text", "save it as UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		return d, d.syntaxFault(err)
	}
	// From here on the text is known to be JSON; what is left is to remember where things stand.
	w := walk{text: text, decoder: json.NewDecoder(bytes.NewReader(text))}
	w.decoder.UseNumber()
	var err error
	if d.root, err = w.node(); err != nil {
		return d, d.syntaxFault(err)
	}
	return d, nil
}

// walk reads JSON token by token.
type walk struct {
	text    []byte
	decoder *json.Decoder
}

// next returns where the next token begins: the decoder is still at the end of the last.
func (w *walk) next() int {
	at := int(w.decoder.InputOffset())
	for at < len(w.text) && strings.IndexByte(" \t\r\n:,", w.text[at]) >= 0 {
		at++
	}
	return at
}

func (w *walk) node() (node, error) {
	n := node{offset: w.next()}
	token, err := w.decoder.Token()
	if err != nil {
		return n, err
	}
	switch token {
	case json.Delim('{'):
		n.value, err = w.members()
	case json.Delim('['):
		n.value, err = w.items()
	default:
		n.value = token
	}
	return n, err
}

func (w *walk) members() ([]member, error) {
	list := []member{}
	for w.decoder.More() {
		m := member{offset: w.next()}
		token, err := w.decoder.Token()
		if err != nil {
			return nil, err
		}
		m.key, _ = token.(string) // keys of JSON are nothing else
		if m.value, err = w.node(); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	_, err := w.decoder.Token() // }
	return list, err
}

func (w *walk) items() ([]node, error) {
	list := []node{}
	for w.decoder.More() {
		n, err := w.node()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	_, err := w.decoder.Token() // ]
	return list, err
}

// syntaxFault says where JSON breaks, and what the usual slip there is.
func (d document) syntaxFault(err error) error {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return d.fault(len(d.text), err.Error(), "")
	}
	if len(bytes.TrimSpace(d.text)) == 0 {
		return d.fault(0, "the file is empty", "write {} for a policy that decides nothing")
	}
	at := int(syntax.Offset) - 1 // the offset counts the byte that broke it
	if syntax.Offset >= int64(len(d.text)) && strings.HasPrefix(syntax.Error(), "unexpected end") {
		return d.fault(len(d.text), "the file ends in the middle", "a } or ] or \" is missing")
	}
	before := bytes.TrimRight(d.text[:max(at, 0)], " \t\r\n")
	fix := ""
	switch c := d.text[max(at, 0)]; {
	case (c == '}' || c == ']') && bytes.HasSuffix(before, []byte(",")):
		fix = "take away the comma before it"
	case c == '\'':
		fix = "write texts between double quotes"
	case c == '/' || c == '#':
		fix = "JSON has no comments"
	case c == '"':
		fix = "a comma or colon is missing before it"
	case c == '{' && len(before) > 0 && before[0] == '{':
		fix = "a file holds one policy"
	}
	return d.fault(at, syntax.Error(), fix)
}
