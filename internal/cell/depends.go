package cell

// DependsOnState tells of every node whether a state's value changes its value.
func (c *Cell) DependsOnState() []bool { return c.dependsOn(OpState) }

// DependsOnInput tells of every node whether the input of the same step changes its value.
func (c *Cell) DependsOnInput() []bool { return c.dependsOn(OpInput) }

func (c *Cell) dependsOn(op Op) []bool {
	d := make([]bool, len(c.Nodes))
	for i, n := range c.Nodes {
		d[i] = n.Op == op
		for _, a := range n.Args {
			d[i] = d[i] || d[a]
		}
	}
	return d
}

// String is the role in lower case.
func (r Role) String() string {
	return [...]string{"kernel", "recurrent", "bias", "gain", "vector"}[r]
}
