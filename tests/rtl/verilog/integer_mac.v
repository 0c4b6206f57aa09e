// Multiply-accumulate of signed integers: total + a * b, wrapping at ACC bits. first: start from zero.
module integer_mac #(
    parameter A = 8,
    parameter B = 8,
    parameter ACC = 32
) (
    input wire clk,
    input wire first,
    input wire signed [A-1:0] a,
    input wire signed [B-1:0] b,
    output reg signed [ACC-1:0] total
);
    wire signed [A+B-1:0] product = a * b;
    always @(posedge clk) total <= (first ? {ACC{1'b0}} : total) + {{(ACC-A-B){product[A+B-1]}}, product};
endmodule
