package cell
import ("testing";"os";"encoding/json";"fmt")
func TestZZ(t *testing.T){ b,_:=os.ReadFile("/tmp/texts.json"); var ts []string; json.Unmarshal(b,&ts)
 for _,s:=range ts { c,err:=Parse(s); if err==nil { fmt.Printf("ACCEPTED %q %v\n",s,c.Notes); continue}; fmt.Printf("%.70q\n    %v\n",s,err)}
}
