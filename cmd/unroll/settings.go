package main

import (
	"errors"
	"strings"

	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
)

// setting is one value of --optimizer, --loss or --metrics: a name of Keras's, perhaps with arguments: adam(learning_rate=0.01).
type setting struct {
	name   string
	at     int
	config map[string]any // nil without arguments
}

// parseSettings reads what a flag says; prefix is what R puts before such names, first the argument that needs no name.
func parseSettings(flag, text, prefix, first string) (list []setting, err error) {
	defer catch(&err)
	p := &parser{what: flag, text: text}
	m := &meaning{what: flag, text: text}
	for p.space(); p.at < len(text); p.space() {
		if len(list) > 0 {
			if !p.take(",") {
				p.expected("a comma or the end")
			}
			p.space()
		}
		s := setting{at: p.at}
		v := p.value("a name")
		switch v.kind {
		case wordValue, stringValue:
			s.name = v.text
		case callValue:
			s.name, s.config = v.call.name, m.config(v.call, first)
		default:
			p.fail(v.at, "expected a name, got %s", v)
		}
		s.name = strings.TrimPrefix(s.name, prefix)
		list = append(list, s)
	}
	return list, nil
}

// parseSetting reads a flag that takes one.
func parseSetting(flag, text, prefix, first string) (setting, error) {
	list, err := parseSettings(flag, text, prefix, first)
	switch {
	case err != nil:
		return setting{}, err
	case len(list) == 0:
		return setting{}, &textError{what: flag, text: text, msg: "expected a name, got none"}
	case len(list) > 1:
		return setting{}, &textError{what: flag, text: text, at: list[1].at, msg: "expected one, got a second"}
	}
	return list[0], nil
}

// refuse is the error of a setting that its package does not take.
func (s setting) refuse(flag, pkg string, err error) error {
	return errors.New(flag + ": " + without(err, pkg+": ", "keras: ", flag+"."))
}

// without is an error's message less the words before it that only say who found the mistake.
func without(err error, before ...string) string {
	msg := err.Error()
	for _, b := range before {
		msg = strings.TrimPrefix(msg, b)
	}
	return msg
}

func parseOptimizer(text string) (optimizers.Optimizer, error) {
	const flag = "--optimizer"
	s, err := parseSetting(flag, text, "optimizer_", "learning_rate")
	if err != nil {
		return nil, err
	}
	o, err := optimizers.FromConfig(flag, s.name, s.config)
	if err != nil {
		return nil, s.refuse(flag, "optimizers", err)
	}
	return o, nil
}

func parseLoss(text string) (losses.Loss, error) {
	const flag = "--loss"
	s, err := parseSetting(flag, text, "loss_", "")
	if err != nil {
		return nil, err
	}
	l, err := losses.FromConfig(flag, s.name, s.config)
	if err != nil {
		return nil, s.refuse(flag, "losses", err)
	}
	return l, nil
}

func parseMetrics(text string) ([]metrics.Metric, error) {
	const flag = "--metrics"
	list, err := parseSettings(flag, text, "metric_", "")
	if err != nil {
		return nil, err
	}
	var ms []metrics.Metric
	for _, s := range list {
		m, err := metrics.ByName(s.name)
		if s.config != nil {
			m, err = metrics.FromConfig(flag, s.name, s.config)
		}
		if err != nil {
			return nil, s.refuse(flag, "metrics", err)
		}
		ms = append(ms, m)
	}
	return ms, nil
}
