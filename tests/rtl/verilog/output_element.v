// One element whose WIDE output sums stay while k streams. A sum is read when its
// multiply-accumulate starts and written LATENCY edges later. DOUBLE: a second register takes a
// finished sum and is the one that drains; without it the sums themselves move down.
module output_element #(
    parameter LANES = 1, WIDE = 1, AW = 8, BW = 8, PW = 32, LATENCY = 1, DOUBLE = 1, SATURATE = 0
) (
    input clk, input reset,
    input mac, input first, input [15:0] ends,         // ends: rows in use where a sum ends, else 0
    input [LANES*AW-1:0] a, input [LANES*WIDE*BW-1:0] b,
    output [15:0] done,                                // ends, when the sum is complete
    input go,                                          // the column starts to drain
    input moves, output reg shift,                     // take from above now; did so last cycle
    input [WIDE*PW-1:0] drain_in, input full_in,
    output [WIDE*PW-1:0] drain_out, output full_out
);
    reg [WIDE*PW-1:0] stage [0:LATENCY-1];             // the last one is the sum
    reg [LATENCY-1:0] stage_valid;
    reg [15:0] ending [0:LATENCY-1];
    reg [WIDE*PW-1:0] second;
    reg full;
    wire [WIDE*PW-1:0] sum = stage[LATENCY-1];
    wire [WIDE*PW-1:0] next;
    wire leaves = go | shift;
    assign done = ending[LATENCY-1];
    assign drain_out = DOUBLE ? second : sum;
    assign full_out = full;

    genvar x;
    generate
        for (x = 0; x < WIDE; x = x + 1) begin : lane
            add_products #(.LANES(LANES), .AW(AW), .AN(1), .AI(0), .BW(BW), .BN(WIDE), .BI(x),
                           .PW(PW), .SATURATE(SATURATE)) add (
                .a(a), .b(b), .sum_in(first ? {PW{1'b0}} : sum[x*PW +: PW]),
                .sum_out(next[x*PW +: PW]));
        end
    endgenerate

    // what enters the last stage at this edge, seen from one stage before it
    wire [15:0] arriving;
    wire arriving_valid;
    wire [WIDE*PW-1:0] arriving_sum;
    generate
        if (LATENCY == 1) begin : direct
            assign arriving = ends;
            assign arriving_valid = mac;
            assign arriving_sum = next;
        end else begin : staged
            assign arriving = ending[LATENCY-2];
            assign arriving_valid = stage_valid[LATENCY-2];
            assign arriving_sum = stage[LATENCY-2];
        end
    endgenerate

    integer n;
    always @(posedge clk) begin
        if (reset) begin
            shift <= 0; full <= 0; second <= 0; stage_valid <= 0;
            for (n = 0; n < LATENCY; n = n + 1) begin stage[n] <= 0; ending[n] <= 0; end
        end else begin
            shift <= moves;
            stage_valid <= {stage_valid, mac};
            for (n = 0; n < LATENCY; n = n + 1) ending[n] <= n == 0 ? ends : ending[n-1];
            for (n = 0; n < LATENCY - 1; n = n + 1) stage[n] <= n == 0 ? next : stage[n-1];
            if (!DOUBLE && moves) stage[LATENCY-1] <= drain_in;
            else if (arriving_valid) stage[LATENCY-1] <= arriving_sum;
            if (DOUBLE && done != 0) second <= sum;
            else if (moves) second <= drain_in;
            if ((DOUBLE ? done : arriving) != 0) full <= 1;
            else if (moves) full <= full_in;
            else if (leaves) full <= 0;
        end
    end
endmodule
