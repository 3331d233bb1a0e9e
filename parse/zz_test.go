package parse
import ("testing";"os";"fmt")
func TestZZ(t *testing.T){
	f:=os.Getenv("ZZ"); if f=="" {t.Skip()}
	b,_:=os.ReadFile(f)
	fmt.Print(describe(string(b)))
}
