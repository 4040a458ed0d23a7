package kernel

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"strings"
	"testing"
)

// TestProductsAreRounded reads the package's source: no float product may stand directly as a term of a sum, where a compiler may
// fuse the two and change the bits from one loop, or one architecture, to the next. A conversion, float32(x*y), forbids it.
func TestProductsAreRounded(t *testing.T) {
	set := token.NewFileSet()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_amd64.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	found := productsInSums(set, files)
	for _, at := range found {
		t.Errorf("%s: a product stands in a sum without a conversion around it", at)
	}
}

// TestProductsInSums: the reader of the test above finds what it should.
func TestProductsInSums(t *testing.T) {
	const source = `package p
import "math"
func f(x, y, z float32, i, j, k int) float32 {
	x += y * z
	x = y*z - x
	x = z - (y * x)
	x = x + float32(y*z)
	x += 2 * float32(math.Sqrt(float64(y)))
	const c = 2.0*3.0 + 1
	i = j*k + i
	return -(x * y) + z + float32(i)
}`
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := productsInSums(set, []*ast.File{f})
	if got := strings.Join(found, " "); got != "p.go:4:2 p.go:5:6 p.go:6:6 p.go:8:2 p.go:11:9" {
		t.Errorf("got %s", got)
	}
}

// productsInSums are the places of the sums with an unrounded float product.
func productsInSums(set *token.FileSet, files []*ast.File) []string {
	info := types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	check := types.Config{Importer: importer.ForCompiler(set, "source", nil), Error: func(error) {}}
	check.Check("kernel", set, files, &info)
	isFloat := func(e ast.Expr) bool {
		v := info.Types[e]
		b, ok := v.Type.(*types.Basic)
		return ok && b.Info()&types.IsFloat != 0 && v.Value == nil
	}
	var product func(e ast.Expr) bool
	product = func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.ParenExpr:
			return product(e.X)
		case *ast.UnaryExpr:
			return product(e.X)
		case *ast.BinaryExpr:
			return e.Op == token.MUL && isFloat(e)
		}
		return false
	}
	var found []string
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			bad := false
			switch n := n.(type) {
			case *ast.BinaryExpr:
				bad = (n.Op == token.ADD || n.Op == token.SUB) && (product(n.X) || product(n.Y))
			case *ast.AssignStmt:
				bad = (n.Tok == token.ADD_ASSIGN || n.Tok == token.SUB_ASSIGN) && product(n.Rhs[0])
			}
			if bad {
				found = append(found, set.Position(n.Pos()).String())
			}
			return true
		})
	}
	return found
}
