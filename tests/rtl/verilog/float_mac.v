// Multiply-accumulate of small floating-point numbers: total + a * b with an exact product and one
// rounding, to nearest, ties to even. Subnormals; the largest exponent holds infinity and NaN (one NaN comes out:
// positive, top fraction bit set). EXP, FRAC, BIAS: of the operands; SPECIAL 0: their largest exponent holds
// numbers. SUM_EXP, SUM_FRAC: of the total. first: start from zero.
module float_mac #(
    parameter EXP = 5,
    parameter FRAC = 2,
    parameter SUM_EXP = 6,
    parameter SUM_FRAC = 9,
    parameter BIAS = (1 << (EXP - 1)) - 1,
    parameter SPECIAL = 1
) (
    input wire clk,
    input wire first,
    input wire [EXP+FRAC:0] a,
    input wire [EXP+FRAC:0] b,
    output reg [SUM_EXP+SUM_FRAC:0] total
);
    wire [SUM_EXP+SUM_FRAC:0] next;
    float_fused #(EXP, FRAC, SUM_EXP, SUM_FRAC, BIAS, SPECIAL) fused(a, b, first ? {(1+SUM_EXP+SUM_FRAC){1'b0}} : total, next);
    always @(posedge clk) total <= next;
endmodule

// The combinational part: a * b + c.
module float_fused #(
    parameter EXP = 5,
    parameter FRAC = 2,
    parameter SUM_EXP = 6,
    parameter SUM_FRAC = 9,
    parameter BIAS = (1 << (EXP - 1)) - 1,
    parameter SPECIAL = 1
) (
    input wire [EXP+FRAC:0] a,
    input wire [EXP+FRAC:0] b,
    input wire [SUM_EXP+SUM_FRAC:0] c,
    output wire [SUM_EXP+SUM_FRAC:0] result
);
    localparam PRODUCT = 2 * FRAC + 2;      // bits of the exact product
    localparam SUM = SUM_FRAC + 1;          // bits of the total's significand
    localparam BELOW = SUM + 2;             // window bits below the product's last
    localparam ABOVE = SUM + 2;             // and above its first
    localparam WINDOW = ABOVE + PRODUCT + BELOW;
    localparam POINT = (EXP > SUM_EXP ? EXP : SUM_EXP) + 3;     // bits of signed exponents
    localparam STEPS = $clog2(WINDOW + 2);
    localparam SUM_BIAS = (1 << (SUM_EXP - 1)) - 1;
    localparam SPAN = $clog2(WINDOW + 1);

    // operands
    wire [EXP-1:0] ea = a[FRAC +: EXP], eb = b[FRAC +: EXP];
    wire [SUM_EXP-1:0] ec = c[SUM_FRAC +: SUM_EXP];
    wire [FRAC:0] ma = {|ea, a[FRAC-1:0]}, mb = {|eb, b[FRAC-1:0]};
    wire [SUM-1:0] mc = {|ec, c[SUM_FRAC-1:0]};
    wire sign_p = a[EXP+FRAC] ^ b[EXP+FRAC], sign_c = c[SUM_EXP+SUM_FRAC];
    wire [PRODUCT-1:0] product = ma * mb;
    wire none = product == 0;

    // exponents of the last bits: of the product, of c; how far c's stands above the window's bottom
    wire signed [POINT-1:0] last_p = $signed({2'b0, ea}) + $signed({2'b0, eb}) + $signed({1'b0, ~|ea})
        + $signed({1'b0, ~|eb}) - (2 * BIAS + 2 * FRAC);
    wire signed [POINT-1:0] last_c = $signed({2'b0, ec}) + $signed({1'b0, ~|ec}) - (SUM_BIAS + SUM_FRAC);
    wire signed [POINT-1:0] fall = last_p - last_c - BELOW + (WINDOW - SUM);   // c's places from the top
    wire alone = fall < 0 || none;      // the product is less than a quarter of c's last bit: a hint below it

    // both in one window; lost: something of c is below it
    wire [SPAN-1:0] right = alone ? 0 : fall > WINDOW ? WINDOW : fall[SPAN-1:0];
    wire [WINDOW+SUM-1:0] shifted = {mc, {WINDOW{1'b0}}} >> right;
    wire lost = |shifted[SUM-1:0];
    wire [WINDOW-1:0] window_p = alone ? {{(WINDOW-1){1'b0}}, !none} : {{ABOVE{1'b0}}, product, {BELOW{1'b0}}};

    // the sum's magnitude, with a carry above and one bit more below for what was lost
    wire minus = sign_p ^ sign_c;
    wire [WINDOW+1:0] wide_p = {1'b0, window_p, 1'b0}, wide_c = {1'b0, shifted[WINDOW+SUM-1:SUM], lost};
    wire [WINDOW+2:0] total = {1'b0, wide_p} + {minus, wide_c ^ {(WINDOW+2){minus}}} + minus;
    wire negative = minus && total[WINDOW+2];
    wire [WINDOW+1:0] size = (total[WINDOW+1:0] ^ {(WINDOW+2){negative}}) + negative;
    wire sign = size == 0 ? sign_p & sign_c : minus && !negative ? sign_p : sign_c;

    // first bit to the top, in steps of powers of two, unless the smallest exponent comes before. room: places
    // until then, never negative: c's exponent is not below the smallest. open: room is more than can be needed.
    wire signed [POINT-1:0] room = (alone ? last_c - (WINDOW - SUM) : last_p - BELOW) + (WINDOW + SUM_BIAS - 1);
    reg [WINDOW+1:0] set;
    reg [STEPS-1:0] places;
    reg open;
    integer step;
    always @* begin
        set = size;
        open = room >= (1 << STEPS);
        for (step = STEPS - 1; step >= 0; step = step - 1) begin
            places[step] = (open || room[step]) && (set >> (WINDOW + 2 - (1 << step))) == 0;
            open = open || (room[step] && !places[step]);
            if (places[step]) set = set << (1 << step);
        end
    end
    wire [SUM-1:0] kept = set[WINDOW+1 -: SUM];
    wire half = set[WINDOW+1-SUM], rest = |set[WINDOW-SUM:0];
    wire [POINT-1:0] field = kept[SUM-1] ? room - $signed({1'b0, places}) + 1 : 0;
    // a carry moves to the next exponent by itself, out of the subnormals too
    wire [POINT+SUM_FRAC-1:0] packed_ = {field, kept[SUM_FRAC-1:0]} + (half && (rest || kept[0]));
    wire over = packed_ >= (((1 << SUM_EXP) - 1) << SUM_FRAC);

    // infinity and NaN
    wire top_a = SPECIAL && &ea, top_b = SPECIAL && &eb;
    wire inf_a = top_a && a[FRAC-1:0] == 0, inf_b = top_b && b[FRAC-1:0] == 0, inf_c = &ec && c[SUM_FRAC-1:0] == 0;
    wire nan_in = (top_a && !inf_a) || (top_b && !inf_b) || (&ec && !inf_c);
    wire zero_a = ma == 0, zero_b = mb == 0;
    wire nan = nan_in || (inf_a && zero_b) || (inf_b && zero_a) || ((inf_a || inf_b) && inf_c && minus);
    wire inf_p = inf_a || inf_b;
    wire [SUM_EXP-1:0] ones = {SUM_EXP{1'b1}};
    assign result = nan ? {1'b0, ones, 1'b1, {(SUM_FRAC-1){1'b0}}}
        : inf_p ? {sign_p, ones, {SUM_FRAC{1'b0}}}
        : inf_c ? c
        : over ? {sign, ones, {SUM_FRAC{1'b0}}}
        : {sign, packed_[SUM_EXP+SUM_FRAC-1:0]};
endmodule
