# SPDX-License-Identifier: GPL-2.0
#
# A guest without an operating system, for VMMs that take a 64 KiB BIOS image:
# 16-bit code that obeys single letters from COM1.
#
#	on reset	says R
#	w		executes WBINVD 100 times, says w
#	l		goes on doing so for ever, saying l each time
#	r		resets the machine

	.set	COM1, 0x3f8
	.set	COM1_LSR, COM1 + 5
	.set	LSR_DATA, 0x01		# a byte was received
	.set	LSR_EMPTY, 0x20		# the next can be sent
	.set	RESET_CONTROL, 0xcf9
	.set	HARD_RESET, 0x06

	.code16
	.text
	.globl	_start
_start:
	cli
	xor	%ax, %ax
	mov	%ax, %ss
	mov	$0x7c00, %sp
	mov	$'R', %al
	call	say

command:
	mov	$COM1_LSR, %dx
	in	%dx, %al
	test	$LSR_DATA, %al
	jz	command
	mov	$COM1, %dx
	in	%dx, %al
	cmp	$'w', %al
	je	once
	cmp	$'l', %al
	je	for_ever
	cmp	$'r', %al
	jne	command
	mov	$RESET_CONTROL, %dx
	mov	$HARD_RESET, %al
	out	%al, %dx
stop:	hlt
	jmp	stop

once:
	call	flush
	call	say
	jmp	command

for_ever:
	call	flush
	call	say
	jmp	for_ever

flush:
	mov	$100, %cx
1:	wbinvd
	loop	1b
	ret

# Sends %al and leaves it as it is
say:
	mov	%al, %ah
	mov	$COM1_LSR, %dx
1:	in	%dx, %al
	test	$LSR_EMPTY, %al
	jz	1b
	mov	$COM1, %dx
	mov	%ah, %al
	out	%al, %dx
	ret

# The first instruction after reset is 16 bytes below the end
	.org	0xfff0
	jmp	_start
	.org	0x10000
