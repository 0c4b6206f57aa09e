// sum_out = word(sum_in + sum over lanes of a[lane, AI] * b[lane, BI]), combinational.
// a holds LANES x AN words of AW bits, b LANES x BN words of BW bits, all two's complement. The
// products are added exactly; the result wraps, or saturates, at PW bits.
module add_products #(
    parameter LANES = 1, AW = 8, AN = 1, AI = 0, BW = 8, BN = 1, BI = 0, PW = 32, SATURATE = 0
) (
    input [LANES*AN*AW-1:0] a, input [LANES*BN*BW-1:0] b,
    input signed [PW-1:0] sum_in, output signed [PW-1:0] sum_out
);
    localparam WIDE = (PW > AW + BW ? PW : AW + BW) + 18;
    reg signed [WIDE-1:0] total;
    reg signed [AW-1:0] p;
    reg signed [BW-1:0] q;
    integer lane;
    always @* begin
        total = sum_in;
        for (lane = 0; lane < LANES; lane = lane + 1) begin
            p = a[(lane*AN+AI)*AW +: AW];
            q = b[(lane*BN+BI)*BW +: BW];
            total = total + p * q;
        end
    end
    fit_word #(.WIDE(WIDE), .PW(PW), .SATURATE(SATURATE)) fit (.value(total), .word(sum_out));
endmodule

// A wide sum brought into a word of PW bits: cut off, or saturated.
module fit_word #(parameter WIDE = 64, PW = 32, SATURATE = 0) (
    input signed [WIDE-1:0] value, output signed [PW-1:0] word
);
    localparam signed [WIDE-1:0] HIGH = (1 <<< (PW-1)) - 1;
    localparam signed [WIDE-1:0] LOW = -(1 <<< (PW-1));
    assign word = !SATURATE ? value[PW-1:0]
        : value > HIGH ? HIGH[PW-1:0] : value < LOW ? LOW[PW-1:0] : value[PW-1:0];
endmodule
