// CYCLES registers in a row; a wire for none.
module delay_line #(parameter WIDTH = 1, CYCLES = 0) (
    input clk, input reset, input [WIDTH-1:0] in, output [WIDTH-1:0] out
);
    generate
        if (CYCLES == 0) assign out = in;
        else begin : line
            reg [WIDTH-1:0] stage [0:CYCLES-1];
            integer n;
            always @(posedge clk) begin
                for (n = 0; n < CYCLES; n = n + 1)
                    stage[n] <= reset ? {WIDTH{1'b0}} : n == 0 ? in : stage[n-1];
            end
            assign out = stage[CYCLES-1];
        end
    endgenerate
endmodule
