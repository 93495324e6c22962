package policy

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// parsePlist reads a policy in a property list of macOS, XML or binary. The reader is ours because it is small and a
// library (howett.net/plist) knows no lines, unfolds shared objects without bound, and reads other text as the old
// OpenStep form, so that no slip in a file would be a fault.
func parsePlist(name string, content []byte) (document, error) {
	if bytes.HasPrefix(content, []byte(binaryMagic)) {
		d := document{name: name}
		root, err := parseBinaryPlist(content)
		if err != nil {
			return d, d.fault(0, err.Error(), "convert it with plutil -convert xml1 to see more")
		}
		d.root = withoutPayloadKeys(root)
		return d, nil
	}
	d := document{name: name, text: content}
	x := xmlPlist{decoder: xml.NewDecoder(bytes.NewReader(content))}
	root, err := x.document()
	if err != nil {
		return d, d.fault(x.at, plainXML(err), "")
	}
	d.root = withoutPayloadKeys(root)
	return d, nil
}

// withoutPayloadKeys drops what a configuration profile says of itself (PayloadType, PayloadUUID …), which some device
// managers leave in the preferences.
func withoutPayloadKeys(root node) node {
	members, _ := root.value.([]member)
	var kept []member
	for _, m := range members {
		if !strings.HasPrefix(m.key, "Payload") {
			kept = append(kept, m)
		}
	}
	if members != nil {
		root.value = append([]member{}, kept...)
	}
	return root
}

// deepestPlist bounds the nesting; a policy needs three levels.
const deepestPlist = 32

var errTooDeep = fmt.Errorf("it is nested more than %d levels deep", deepestPlist)

// wholePlist is the form of an integer in XML. Hexadecimal, which Apple's own tools read but never write, is not taken.
var wholePlist = regexp.MustCompile(`^-?\d+$`)

// xmlPlist reads the XML form (Apple's PropertyList-1.0.dtd).
type xmlPlist struct {
	decoder *xml.Decoder
	at      int // where the element that is being read begins
}

func (x *xmlPlist) document() (node, error) {
	start, err := x.element()
	if err != nil || start == nil {
		return node{}, orMissing(err, "a plist element")
	}
	if start.Name.Local != "plist" {
		return node{}, fmt.Errorf("<%s> where <plist> belongs", start.Name.Local)
	}
	if start, err = x.element(); err != nil || start == nil {
		return node{}, orMissing(err, "a value")
	}
	root, err := x.node(start, 0)
	if err != nil {
		return node{}, err
	}
	extra, err := x.element()
	if extra != nil {
		err = fmt.Errorf("<%s> after the end of the value", extra.Name.Local)
	}
	return root, err
}

func orMissing(err error, what string) error {
	if err == nil || errors.Is(err, io.EOF) {
		return errors.New(what + " is missing")
	}
	return err
}

// element returns the next beginning of an element, nil at the end of the one around it.
func (x *xmlPlist) element() (*xml.StartElement, error) {
	for {
		at := int(x.decoder.InputOffset())
		token, err := x.decoder.Token()
		if err != nil {
			x.at = at
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			x.at = at
			return &token, nil
		case xml.EndElement:
			return nil, nil
		case xml.CharData:
			if text := bytes.TrimSpace(token); len(text) > 0 {
				x.at = at
				return nil, fmt.Errorf("%.40q between the elements", text)
			}
		}
	}
}

func (x *xmlPlist) node(start *xml.StartElement, depth int) (node, error) {
	n := node{offset: x.at}
	if depth > deepestPlist {
		return n, errTooDeep
	}
	var err error
	switch start.Name.Local {
	case "dict":
		n.value, err = x.members(depth)
	case "array":
		n.value, err = x.items(depth)
	case "string":
		n.value, err = x.text()
	case "integer":
		var text string
		text, err = x.text()
		if text = strings.TrimSpace(text); err == nil && !wholePlist.MatchString(text) {
			err = fmt.Errorf("%.40q is not an integer", text)
		}
		n.value = json.Number(text)
	case "true", "false":
		n.value = start.Name.Local == "true"
		err = x.decoder.Skip()
	case "real", "date", "data":
		n.value = foreign("a " + start.Name.Local)
		err = x.decoder.Skip()
	default:
		err = fmt.Errorf("<%s> is not part of a property list", start.Name.Local)
	}
	return n, err
}

func (x *xmlPlist) members(depth int) ([]member, error) {
	list := []member{}
	for {
		start, err := x.element()
		if err != nil || start == nil {
			return list, err
		}
		if start.Name.Local != "key" {
			return nil, fmt.Errorf("<%s> where <key> belongs", start.Name.Local)
		}
		m := member{offset: x.at}
		if m.key, err = x.text(); err != nil {
			return nil, err
		}
		if start, err = x.element(); err != nil || start == nil {
			return nil, orMissing(err, fmt.Sprintf("the value of %.40q", m.key))
		}
		if m.value, err = x.node(start, depth+1); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
}

func (x *xmlPlist) items(depth int) ([]node, error) {
	list := []node{}
	for {
		start, err := x.element()
		if err != nil || start == nil {
			return list, err
		}
		n, err := x.node(start, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
}

// text returns what an element holds, which must be text alone.
func (x *xmlPlist) text() (string, error) {
	var text strings.Builder
	for {
		token, err := x.decoder.Token()
		if err != nil {
			return "", err
		}
		switch token := token.(type) {
		case xml.CharData:
			text.Write(token)
		case xml.StartElement:
			return "", fmt.Errorf("<%s> where only text belongs", token.Name.Local)
		case xml.EndElement:
			return text.String(), nil
		}
	}
}

// plainXML leaves out the line that encoding/xml names, because the fault names it too.
func plainXML(err error) string {
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return syntax.Msg
	}
	if errors.Is(err, io.EOF) {
		return "the file ends in the middle"
	}
	return err.Error()
}
