// All that differs from model to model: its image, linked in, and its arena.
//   -DTINYOL_MODEL="\"file\"" -DTINYOL_ARENA_BYTES=n, from the net blob's header
    .syntax unified

    .section .rodata.model, "a", %progbits
    .balign 8
    .global tinyol_model_begin
tinyol_model_begin:
    .incbin TINYOL_MODEL
    .global tinyol_model_end
tinyol_model_end:

    .section .bss.arena, "aw", %nobits
    .balign 8
    .global tinyol_arena_begin
tinyol_arena_begin:
    .space TINYOL_ARENA_BYTES
    .global tinyol_arena_end
tinyol_arena_end:
