package api

import (
	"fmt"
	"strconv"
	"strings"
)

// Phrase is a sentence of the service as a code and what fills it, so that a program can say it in the user's language.
// Beside it stands its English, for the command line and for programs that do not know the code. The zero value says
// nothing.
type Phrase struct {
	Code string            `json:"code,omitempty"` // a key of Phrases; append-only
	Args map[string]string `json:"args,omitempty"` // a name that ends in bytes or rate holds a number of bytes
	Of   *Phrase           `json:"of,omitempty"`   // stands for {{.of}}: a sentence within the sentence
}

// Say makes a phrase; args are names and values in turn.
func Say(code string, args ...string) Phrase {
	p := Phrase{Code: code}
	for i := 0; i+1 < len(args); i += 2 {
		if p.Args == nil {
			p.Args = map[string]string{}
		}
		p.Args[args[i]] = args[i+1]
	}
	return p
}

// English returns the sentence; the code itself if there is none for it.
func (p Phrase) English() string {
	template, known := Phrases[p.Code]
	if !known {
		return p.Code
	}
	values := make([]string, 0, 2*len(p.Args)+2)
	for name, value := range p.Args {
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err == nil && strings.HasSuffix(name, "bytes"):
			value = FormatBytes(n)
		case err == nil && strings.HasSuffix(name, "rate"):
			value = FormatBytes(n) + "/s"
		}
		values = append(values, "{{."+name+"}}", value)
	}
	if p.Of != nil {
		values = append(values, "{{.of}}", p.Of.English())
	}
	return strings.NewReplacer(values...).Replace(template)
}

// FormatBytes writes a number of bytes for people, in powers of ten as disks and links are sold.
func FormatBytes(n int64) string {
	value, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, u
	}
	if unit == "B" || value >= 100 {
		return fmt.Sprintf("%.0f %s", value, unit)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// Codes of phrases, by what they speak of.
const (
	// Why sharing rests.
	SayRestsMonth   = "rests_month"
	SayRestsHours   = "rests_hours"
	SayRestsBattery = "rests_battery"
	SayRestsMetered = "rests_metered"
	SayRestsVPN     = "rests_vpn"

	// Why a download is not faster.
	SayWhyLimit    = "why_limit"
	SayWhyNoPeers  = "why_no_peers"
	SayWhyNoneYet  = "why_none_yet"
	SayWhyBehind   = "why_behind"
	SayWhyNobody   = "why_nobody"
	SayWhyAll      = "why_all"
	SayWhyHeldBack = "why_held_back"
	SayWhySpared   = "why_spared"

	// What happened.
	SayStarted      = "started"
	SayGoingOn      = "going_on"
	SayPaused       = "paused"
	SayResumed      = "resumed"
	SayStopped      = "stopped"
	SayWaiting      = "waiting"
	SayServerFailed = "server_failed"
	SayFromStart    = "from_start"
	SayChangedAnew  = "changed_anew"
	SayWrongPiece   = "wrong_piece"
	SayPartGone     = "part_gone"
	SayComplete     = "complete"
	SayUnshared     = "unshared"

	// What is wrong with a server, or the way to it.
	SayNoServer         = "no_server"
	SayStalled          = "stalled"
	SayNoAnswer         = "no_answer"
	SayNotReached       = "not_reached"
	SayProxyNotReached  = "proxy_not_reached"
	SayBroke            = "broke"
	SayCutShort         = "cut_short"
	SayBusy             = "busy"
	SayAskAgain         = "ask_again"
	SayServerFault      = "server_fault"
	SayCertExpired      = "cert_expired"
	SayCertAuthority    = "cert_authority"
	SayCertName         = "cert_name"
	SayCertRoots        = "cert_roots"
	SayCertInvalid      = "cert_invalid"
	SayNeedsPassword    = "needs_password"
	SayWrongPassword    = "wrong_password"
	SayForbidden        = "forbidden"
	SayNotFound         = "not_found"
	SayGone             = "gone"
	SayLegal            = "legal"
	SayProxyPassword    = "proxy_password"
	SayNoPart           = "no_part"
	SayCannotServe      = "cannot_serve"
	SayRefuses          = "refuses"
	SayNotAFile         = "not_a_file"
	SayNonsense         = "nonsense"
	SayChanged          = "changed"
	SayNoRanges         = "no_ranges"
	SayBlocked          = "blocked"
	SayUnprotected      = "unprotected"
	SayCompressed       = "compressed"
	SayWrongBytes       = "wrong_bytes"
	SayEdgeWrongBytes   = "edge_wrong_bytes"
	SayManifestRefused  = "manifest_refused"
	SaySeveralFiles     = "several_files"
	SayKeepsChanging    = "keeps_changing"
	SayAnotherAnswer    = "another_answer"
	SayChecksumMismatch = "checksum_mismatch"

	// What is wrong with the disk, or with us.
	SayNeedsFile   = "needs_file"
	SayNeedsName   = "needs_name"
	SayDiskFull    = "disk_full"
	SayVolumeLost  = "volume_lost"
	SayFolder      = "folder"
	SayFileTouched = "file_touched"
	SayInternal    = "internal"

	// What to do about it.
	DoAuthority       = "do_authority"
	DoClock           = "do_clock"
	DoAddress         = "do_address"
	DoRoots           = "do_roots"
	DoGivePassword    = "do_give_password"
	DoCheckPassword   = "do_check_password"
	DoLogin           = "do_login"
	DoProxyAddress    = "do_proxy_address"
	DoStartAgain      = "do_start_again"
	DoAllowLocal      = "do_allow_local"
	DoWait            = "do_wait"
	DoLaterOrTell     = "do_later_or_tell"
	DoTellPublisher   = "do_tell_publisher"
	DoSingleFiles     = "do_single_files"
	DoLaterOrAsk      = "do_later_or_ask"
	DoCheckSum        = "do_check_sum"
	DoOpenTributary   = "do_open_tributary"
	DoOpenOrResume    = "do_open_or_resume"
	DoFreeSpace       = "do_free_space"
	DoConnectDisk     = "do_connect_disk"
	DoChooseFolder    = "do_choose_folder"
	DoResumeAnew      = "do_resume_anew"
	DoResumeThere     = "do_resume_there"
	DoTriedDiagnostic = "do_tried_diagnostic"
)

// Phrases are the sentences in English by their code. Programs in other languages have a table like it.
var Phrases = map[string]string{
	SayRestsMonth:   "the monthly volume has been used up",
	SayRestsHours:   "outside the hours of sharing, {{.hours}}",
	SayRestsBattery: "this computer runs on its battery ({{.percent}}%)",
	SayRestsMetered: "this network is paid for by volume",
	SayRestsVPN:     "this computer is connected through a VPN",

	SayWhyLimit:    "Your limit of {{.rate}}.",
	SayWhyNoPeers:  "The edge: there are no peers for this file.",
	SayWhyNobody:   "Neither the edge nor a peer gives anything at the moment.",
	SayWhyNoneYet:  "The edge: no peer has been reached yet.",
	SayWhyBehind:   "The edge: another download of the same file has the peers until it is complete.",
	SayWhyAll:      "Edge and peers give all they have.",
	SayWhyHeldBack: "Your link or the publisher's plan: peers suffice, so the edge is held to {{.rate}} to save the publisher's bytes.",
	SayWhySpared:   "Your link or the publisher's plan: peers suffice, so the edge is asked for nothing, to save the publisher's bytes.",

	SayStarted:      "Started",
	SayGoingOn:      "Going on at {{.percent}}%",
	SayPaused:       "Paused",
	SayResumed:      "Resumed",
	SayStopped:      "Stopped: {{.of}}",
	SayWaiting:      "Waiting: {{.of}}",
	SayServerFailed: "The server failed: {{.of}}",
	SayFromStart:    "This server cannot go on where it stopped; starting again from the beginning",
	SayChangedAnew:  "The file on the server has changed; starting it again from the beginning",
	SayWrongPiece:   "Peers sent a wrong piece ({{.bytes}}); it was dropped",
	SayPartGone:     "The unfinished file was gone; starting it again from the beginning",
	SayComplete:     "Complete: {{.edge_bytes}} from the edge, {{.peer_bytes}} from peers",
	SayUnshared:     "No longer shared: the file was changed or moved",

	SayNoServer:         "There is no server called {{.host}}, or this computer is not connected.",
	SayStalled:          "{{.host}} stopped sending.",
	SayNoAnswer:         "{{.host}} does not answer in time.",
	SayNotReached:       "{{.host}} cannot be reached.",
	SayProxyNotReached:  "{{.host}} cannot be reached through the proxy.",
	SayBroke:            "The connection to {{.host}} broke.",
	SayCutShort:         "{{.host}} sent less than it announced.",
	SayBusy:             "{{.host}} is busy.",
	SayAskAgain:         "{{.host}} asks to try again.",
	SayServerFault:      "{{.host}} has a fault of its own (status {{.status}}).",
	SayCertExpired:      "{{.host}} could not prove who it is: its certificate is not valid at this time. Nothing was taken from it.",
	SayCertAuthority:    "{{.host}} could not prove who it is: its certificate comes from an authority that this computer does not know. Nothing was taken from it.",
	SayCertName:         "{{.host}} could not prove who it is: its certificate belongs to another name. Nothing was taken from it.",
	SayCertRoots:        "{{.host}} could not prove who it is: this computer has no list of certificate authorities. Nothing was taken from it.",
	SayCertInvalid:      "{{.host}} could not prove who it is: its certificate is not valid. Nothing was taken from it.",
	SayNeedsPassword:    "{{.host}} needs a name and a password.",
	SayWrongPassword:    "{{.host}} does not accept this name and password.",
	SayForbidden:        "{{.host}} does not allow this download.",
	SayNotFound:         "{{.host}} has no such file.",
	SayGone:             "{{.host}} says that the file was removed for good.",
	SayLegal:            "{{.host}} may not give this file for legal reasons.",
	SayProxyPassword:    "The proxy needs a name and a password.",
	SayNoPart:           "{{.host}} has no such part of the file.",
	SayCannotServe:      "{{.host}} cannot serve this file (status {{.status}}).",
	SayRefuses:          "{{.host}} refuses this download (status {{.status}}).",
	SayNotAFile:         "{{.host}} gave an answer that is not a file (status {{.status}}).",
	SayNonsense:         "The answer of {{.host}} makes no sense: {{.detail}}.",
	SayChanged:          "The file on {{.host}} is not the one that this download began with: {{.detail}}.",
	SayNoRanges:         "{{.host}} does not send parts of the file: {{.detail}}.",
	SayBlocked:          "{{.host}} leads into a private network, where a public server may not send you.",
	SayUnprotected:      "{{.host}} leads from a protected to an unprotected connection, where the file could be changed on its way.",
	SayCompressed:       "{{.host}} sends the file only in a compressed form that Tributary does not know ({{.detail}}).",
	SayWrongBytes:       "{{.host}} sent bytes that are not the publisher's.",
	SayEdgeWrongBytes:   "The server sent bytes that do not match the publisher's description; they were thrown away.",
	SayManifestRefused:  "The publisher's description of this file was refused: {{.detail}}. Nothing was downloaded.",
	SaySeveralFiles:     "This link names a folder of several files, which this version cannot download as one.",
	SayAnotherAnswer:    "The server answered with something that is not the file that was begun: a page to sign in, perhaps, or another file. What has been downloaded is kept.",
	SayKeepsChanging:    "The file on the server changed while it was being downloaded, again and again.",
	SayChecksumMismatch: "The downloaded file has the checksum {{.got}}, but {{.want}} was asked for. It has not been given its name.",

	SayNeedsFile:   "The service may not open your files by itself, and no program of yours has handed it the unfinished one since it was started. What has been downloaded is kept.",
	SayNeedsName:   "All of it is there and checked. The service may not name files in your folders; a program of yours does that.",
	SayDiskFull:    "There is not enough room on the disk for this file. What has been downloaded is kept.",
	SayVolumeLost:  "The disk or network drive that holds this file does not answer. Nothing is lost that was on it.",
	SayFolder:      "{{.detail}}.",
	SayFileTouched: "Another program has changed or deleted the unfinished file.",
	SayInternal:    "Something unexpected went wrong: {{.detail}}.",

	DoAuthority:       "If this is your own server, start the service with the certificate of its authority: tributaryd run --ca FILE.",
	DoClock:           "Check this computer's clock; otherwise only the owner of the server can mend it.",
	DoAddress:         "Check the address.",
	DoRoots:           "Install the package ca-certificates.",
	DoGivePassword:    "Add the download again with them.",
	DoCheckPassword:   "Check them.",
	DoLogin:           "Perhaps the link has expired, or it needs you to be logged in.",
	DoProxyAddress:    "Write them into the proxy's address.",
	DoStartAgain:      "Start the download again to get the new file.",
	DoAllowLocal:      "If you trust it, allow local addresses for this download.",
	DoWait:            "The publisher may have replaced the file. It is tried again.",
	DoLaterOrTell:     "The server's copy is not what the publisher signed. Resume later, or tell the publisher.",
	DoTellPublisher:   "Tell the publisher.",
	DoSingleFiles:     "Ask the publisher for single files.",
	DoLaterOrAsk:      "Try again later, or ask the site's owner.",
	DoCheckSum:        "Check where the checksum comes from, or ask the site's owner. Resume downloads it again.",
	DoOpenTributary:   "Open Tributary, or run: tributaryctl list.",
	DoOpenOrResume:    "Open Tributary, or run: tributaryctl list. If the unfinished file is gone, resume the download to start it again.",
	DoFreeSpace:       "Free some space; the download goes on by itself.",
	DoConnectDisk:     "Connect it again; the download goes on by itself.",
	DoChooseFolder:    "Choose a folder that exists and that you may write to.",
	DoResumeThere:     "Sign in, or get on another network, then resume. To take what is there now, remove this download and add it again.",
	DoResumeAnew:      "Resume to start it again.",
	DoTriedDiagnostic: "It is tried again. If it stays, run: tributaryctl diagnostics",
}
